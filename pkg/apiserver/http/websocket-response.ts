import type { IncomingMessage } from 'node:http';
import { type Duplex, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { headerTokens } from '../../streaming/upgrade.ts';
import { acceptWebSocket, wantsWebSocket } from '../../streaming/websocket.ts';
import type { RequestInfo } from '../request-info.ts';
import { PROTOBUF_TYPE } from './negotiate.ts';

/** Subprotocols of streams that go one way (upstream's wsstream.NewDefaultReaderProtocols); '' stands for none. */
const READER_PROTOCOLS = ['', 'binary.k8s.io', 'base64.binary.k8s.io'];
const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';
/** What comes before each event of a watch in protobuf, where frames do not tell them apart. */
const LENGTH_BYTES = 4;

/** Whether a request wants an answer that has a form for websockets: a watch, or the log of a Pod. */
export function isWebSocketStream(request: IncomingMessage, { verb, resource, subresource }: RequestInfo): boolean {
  return wantsWebSocket(request) && (verb === 'watch' || (resource === 'pods' && subresource === 'log'));
}

/**
 * Stands for the response of a request whose answer goes through a websocket: one message for each piece written, text
 * for JSON. The handshake is made by `flushHeaders`: what is refused before has an HTTP answer. Messages of the client
 * are read and dropped, as upstream does.
 */
export class WebSocketResponse extends Writable {
  statusCode = 200;
  headersSent = false;
  readonly #request: IncomingMessage;
  readonly #socket: Duplex;
  readonly #head: Buffer;
  readonly #protocols: readonly string[];
  #contentType = '';
  #frame: (chunk: Buffer) => string | Buffer = (chunk) => chunk;
  #ws: Promise<WebSocket | undefined> = Promise.resolve(undefined);

  constructor(request: IncomingMessage, socket: Duplex, head: Buffer, isWatch: boolean) {
    super();
    this.#request = request;
    this.#socket = socket;
    this.#head = head;
    const offered = headerTokens(request, 'sec-websocket-protocol');
    this.#protocols = isWatch ? ['', ...offered.filter((one) => !one.startsWith(TOKEN_PROTOCOL))] : READER_PROTOCOLS;
    socket.once('close', () => this.destroy());
  }

  setHeader(name: string, value: string): this {
    if (name === 'content-type') this.#contentType = value;
    return this;
  }

  flushHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    this.#ws = this.#accept();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#ws.then((ws) => {
      // Whoever is gone is told of by the socket's end.
      if (ws === undefined) done();
      else ws.send(this.#frame(chunk), done);
    }, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#ws.then((ws) => {
      ws?.close(1000);
      done();
    }, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#ws.then(
      (ws) => {
        if (!this.writableFinished) ws?.terminate();
        done(error);
      },
      () => done(error),
    );
  }

  async #accept(): Promise<WebSocket | undefined> {
    const accepted = await acceptWebSocket(this.#request, this.#socket, this.#head, this.#protocols);
    if (accepted === undefined) return undefined;
    if (accepted.protocol === 'base64.binary.k8s.io') this.#frame = (chunk) => chunk.toString('base64');
    else if (this.#contentType.startsWith('application/json')) this.#frame = (chunk) => chunk.toString('utf8');
    else if (this.#contentType.startsWith(PROTOBUF_TYPE)) this.#frame = (chunk) => chunk.subarray(LENGTH_BYTES);
    accepted.ws.on('error', () => this.destroy());
    return accepted.ws;
  }
}

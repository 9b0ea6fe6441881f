import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Cancel, Clock } from '../../base/clock.ts';
import { UnreachableError } from './answer-error.ts';

/** How a client shows who it is: a certificate with its key (PEM), or a bearer token. */
export interface Credentials {
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

export interface ConnectionOptions {
  readonly server: URL;
  /** PEM bundle that the server's certificate is checked against; nothing else is trusted. */
  readonly ca: string;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 5_000;
const PING_EVERY_MS = 10_000;
/** A server that does not answer a ping for so long is gone, though nobody has closed the connection. */
const PING_TIMEOUT_MS = 15_000;
const STREAM_WINDOW_BYTES = 256 * 1024;
const SESSION_WINDOW_BYTES = 1024 * 1024;
const MOST_STREAMS = 250;

/**
 * - `open`: takes new requests.
 * - `retired`: finishes what it has begun (the server is going, or the credentials were renewed).
 * - `closed`: everything on it has ended.
 */
export type ConnectionState = 'open' | 'retired' | 'closed';

/** One HTTP/2 connection to one server; pings find out when it is dead. */
export class Connection {
  readonly server: URL;
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #watches = new Set<ClientHttp2Stream>();
  readonly #onClose = new Set<() => void>();
  #streams = 0;
  #state: ConnectionState = 'open';
  #cancelPing: Cancel = () => {};
  #isPinging = false;

  private constructor(session: ClientHttp2Session, server: URL, clock: Clock) {
    this.#session = session;
    this.server = server;
    this.#clock = clock;
    session.once('close', () => this.#closed());
    // What it was is told by the streams that end with it.
    session.on('error', () => {});
    session.once('goaway', () => this.retire());
    session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    this.#pingLater();
  }

  /** Connects and shakes hands. Rejects with UnreachableError, its cause telling why. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { server, clock } = options;
    const socket = await openSocket(options);
    const session = connectHttp2(server.origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    });
    const connection = new Connection(session, server, clock);
    await connection.#greeted();
    return connection;
  }

  get state(): ConnectionState {
    return this.#session.destroyed ? 'closed' : this.#state;
  }

  get streams(): number {
    return this.#streams;
  }

  get watches(): number {
    return this.#watches.size;
  }

  /** How many streams the server takes at the same time. */
  get capacity(): number {
    return Math.min(this.#session.remoteSettings.maxConcurrentStreams ?? MOST_STREAMS, MOST_STREAMS);
  }

  onClose(listener: () => void): void {
    this.#onClose.add(listener);
  }

  /** Sends a request; a watch is ended when the connection is retired. Throws when the connection takes no more. */
  request(headers: Readonly<Record<string, string>>, body: Buffer | undefined, watch: boolean): ClientHttp2Stream {
    const stream = this.#session.request(headers, { endStream: body === undefined });
    this.#streams += 1;
    if (watch) this.#watches.add(stream);
    stream.once('close', () => {
      this.#streams -= 1;
      this.#watches.delete(stream);
    });
    if (body !== undefined) stream.end(body);
    return stream;
  }

  /** Looks whether the server is still there; the connection breaks when it is not. */
  check(): void {
    if (this.#isPinging || this.state === 'closed') return;
    this.#cancelPing();
    this.#isPinging = true;
    this.#cancelPing = this.#clock.setTimeout(
      () => this.#session.destroy(new UnreachableError(`${this.server.host} does not answer any more`)),
      PING_TIMEOUT_MS,
    );
    this.#session.ping((error) => {
      this.#isPinging = false;
      this.#cancelPing();
      if (error === null) this.#pingLater();
    });
  }

  /** Takes no more requests, ends the watches and closes when the last request is answered. */
  retire(): void {
    if (this.#state !== 'open') return;
    this.#state = 'retired';
    for (const watch of this.#watches) watch.close(constants.NGHTTP2_CANCEL);
    this.#session.close();
  }

  /** Breaks everything off. */
  destroy(): void {
    this.#session.destroy();
  }

  /** Waits for the server's settings: before them nobody knows how many streams it takes. */
  #greeted(): Promise<void> {
    const session = this.#session;
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        session.destroy();
        reject(new UnreachableError(`cannot connect to ${this.server.host}: ${why}`));
      };
      const cancel = this.#clock.setTimeout(() => fail('no settings in time'), CONNECT_TIMEOUT_MS);
      session.once('remoteSettings', () => {
        cancel();
        resolve();
      });
      session.once('close', () => {
        cancel();
        fail('it closed the connection');
      });
    });
  }

  #pingLater(): void {
    if (this.#session.destroyed) return;
    this.#cancelPing = this.#clock.setTimeout(() => this.check(), PING_EVERY_MS);
  }

  #closed(): void {
    this.#state = 'closed';
    this.#cancelPing();
    for (const listener of this.#onClose) listener();
  }
}

function openSocket({ server, ca, credentials, clock, signal }: ConnectionOptions): Promise<TLSSocket> {
  const host = server.hostname.replace(/^\[|\]$/g, '');
  const { cert, key } = credentials;
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host,
      port: server.port === '' ? 443 : Number(server.port),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ca,
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
    });
    const cancelTimeout = clock.setTimeout(() => fail(new Error('no answer in time')), CONNECT_TIMEOUT_MS);
    const fail = (cause: Error): void => {
      settle();
      socket.destroy();
      reject(new UnreachableError(`cannot connect to ${server.host}`, { cause }));
    };
    const aborted = (): void => fail(new Error('stopping'));
    const settle = (): void => {
      cancelTimeout();
      signal.removeEventListener('abort', aborted);
      socket.off('error', fail);
      // A late error of a socket nobody waits for any more must not bring the process down.
      socket.on('error', () => {});
    };
    socket.on('error', fail);
    signal.addEventListener('abort', aborted);
    if (signal.aborted) aborted();
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol !== 'h2') {
        fail(new Error('it does not speak HTTP/2'));
        return;
      }
      settle();
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent, request } from 'node:https';
import type { FuzzRequest } from './requests.ts';

export interface FuzzAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** A watch or another stream that was left while it went on. */
  readonly endless: boolean;
}

export interface WireOptions {
  readonly port: number;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** An answer that has not begun after so long will not begin: the server hangs. */
const ANSWER_TIMEOUT_MS = 60_000;
/** Streams are left after so long. */
const STREAM_MS = 200;

/** Sends what no well-behaved client would send, over HTTP/1.1 and HTTP/2. */
export class Wire {
  readonly #options: WireOptions;
  readonly #tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  readonly #admin: Agent;
  readonly #nobody: Agent;
  #session: ClientHttp2Session | undefined;

  constructor(options: WireOptions) {
    const { ca, cert, key } = options.tls;
    this.#options = options;
    this.#tls = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
    this.#admin = new Agent({ ...this.#tls, keepAlive: true, maxSockets: 8 });
    this.#nobody = new Agent({ ca: this.#tls.ca, keepAlive: true, maxSockets: 8 });
  }

  /** Rejects when there is no answer in time, or the connection breaks. */
  send(call: FuzzRequest, http2 = false): Promise<FuzzAnswer> {
    return http2 && !call.anonymous ? this.#send2(call) : this.#send1(call);
  }

  #send1(call: FuzzRequest, again = false): Promise<FuzzAnswer> {
    const { method, path, headers, body, anonymous } = call;
    const agent = anonymous ? this.#nobody : this.#admin;
    const options = { host: '127.0.0.1', port: this.#options.port, method, path, headers, agent };
    return new Promise((resolve, reject) => {
      const sent = request(options, (response) => {
        clearTimeout(late);
        const chunks: Buffer[] = [];
        const done = (endless: boolean): void => {
          clearTimeout(leave);
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, endless });
        };
        const leave = setTimeout(
          () => {
            done(true);
            response.destroy();
          },
          response.headers['content-length'] === undefined ? STREAM_MS : ANSWER_TIMEOUT_MS,
        );
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => done(false));
      });
      const late = setTimeout(() => sent.destroy(new Error('no answer in time')), ANSWER_TIMEOUT_MS);
      sent.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(late);
        // The server may end an idle connection at the moment it is used again: any client asks once more.
        if (sent.reusedSocket && !again && error.code === 'ECONNRESET') resolve(this.#send1(call, true));
        else reject(error);
      });
      sent.end(body);
    });
  }

  #send2({ method, path, headers, body }: FuzzRequest): Promise<FuzzAnswer> {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = connect(`https://127.0.0.1:${this.#options.port}`, this.#tls);
      this.#session.on('error', () => this.#session?.destroy());
    }
    const stream = this.#session.request(
      { ...headers, ':method': method, ':path': path },
      { endStream: body === undefined },
    );
    return new Promise((resolve, reject) => {
      let head: Record<string, unknown> | undefined;
      const chunks: Buffer[] = [];
      const done = (endless: boolean): void => {
        clearTimeout(late);
        if (head === undefined) reject(new Error('the stream ended without an answer'));
        else {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: Number(head[':status']), headers: head, text, endless });
        }
      };
      let late = setTimeout(() => {
        stream.close();
        reject(new Error('no answer in time'));
      }, ANSWER_TIMEOUT_MS);
      stream.on('response', (received) => {
        head = received;
        if (received['content-length'] !== undefined) return;
        clearTimeout(late);
        late = setTimeout(() => {
          done(true);
          stream.close();
        }, STREAM_MS);
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', (error) => {
        clearTimeout(late);
        // The server may answer before it has all of the body, and then wants no more of it.
        if (head === undefined) reject(error);
        else done(false);
      });
      stream.on('end', () => done(false));
      if (body !== undefined) stream.end(body);
    });
  }

  close(): void {
    this.#admin.destroy();
    this.#nobody.destroy();
    this.#session?.destroy();
  }
}

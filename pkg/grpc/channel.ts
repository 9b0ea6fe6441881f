import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../base/clock.ts';
import { errorText } from '../base/log.ts';
import { GRPC_CODES, type GrpcCode, GrpcError } from './error.ts';
import { FrameParser, frame } from './frames.ts';

export interface GrpcChannelOptions {
  /** Where the server is, for messages. */
  readonly name: string;
  /** Begins a connection: a socket of the `net` or (with ALPN `h2`) the `tls` module. */
  readonly connect: () => Duplex;
  /** The longest message accepted from the server, in bytes; 16 MiB unless given, as upstream's kubelet has it. */
  readonly maxMessageBytes?: number;
  readonly clock?: Clock;
}

/** One call: `method` is `<package>.<Service>/<Method>`, `request` the encoded message. */
export interface GrpcCall {
  readonly method: string;
  readonly request: Uint8Array;
  /** Milliseconds until the call fails with `DEADLINE_EXCEEDED`; `Infinity` for none. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Keeps the client's side of the call open; some servers end a stream whose client has said all it wants. */
  readonly keepOpen?: boolean;
  /** Further request headers. */
  readonly metadata?: Readonly<Record<string, string>>;
}

type Headers = Readonly<Record<string, unknown>>;

const DEFAULT_MAX_MESSAGE = 16 * 1024 * 1024;
/** HTTP/2's default window of 64 KiB costs a round trip per 64 KiB of a long list. */
const WINDOW = 1024 * 1024;
/** Node's default of 10 MB is less than one message may have. */
const SESSION_MEMORY_MB = 64;
/** The header's value has at most eight digits. */
const LONGEST_TIMEOUT = 99_999_999;

/**
 * A gRPC client connection. It connects at the first call, and again at the first call after the
 * connection was lost; a call during which it is lost fails with `UNAVAILABLE` and is not repeated.
 */
export class GrpcChannel {
  readonly #options: GrpcChannelOptions;
  readonly #maxMessage: number;
  readonly #clock: Clock;
  #session: ClientHttp2Session | undefined;
  #closed = false;

  constructor(options: GrpcChannelOptions) {
    this.#options = options;
    this.#maxMessage = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE;
    this.#clock = options.clock ?? systemClock;
  }

  /** Calls a unary method and returns the answer's bytes. Rejects with GrpcError. */
  async unary(call: GrpcCall): Promise<Buffer> {
    let answer: Buffer | undefined;
    for await (const message of this.stream(call)) answer ??= message;
    if (answer === undefined) throw new GrpcError('INTERNAL', call.method, 'the server answered without a message');
    return answer;
  }

  /** Calls a server-streaming method and yields its messages as they come. Throws GrpcError. */
  async *stream(call: GrpcCall): AsyncGenerator<Buffer, void, undefined> {
    const { method, signal } = call;
    if (signal?.aborted) throw new GrpcError('CANCELLED', method, 'the call was cancelled before it began');
    const stream = this.#request(call);
    const outcome = new Outcome(stream, method, this.#options.name);
    const abort = (): void => outcome.fail(new GrpcError('CANCELLED', method, 'the call was cancelled'));
    signal?.addEventListener('abort', abort, { once: true });
    const cancelTimer = Number.isFinite(call.timeoutMs)
      ? this.#clock.setTimeout(() => {
          outcome.fail(new GrpcError('DEADLINE_EXCEEDED', method, `no answer within ${call.timeoutMs} ms`));
        }, call.timeoutMs)
      : undefined;
    try {
      const parser = new FrameParser(this.#maxMessage, method);
      try {
        for await (const chunk of stream) yield* parser.push(chunk);
      } catch (error) {
        outcome.fail(error);
      }
      await outcome.settled();
      parser.end();
    } finally {
      cancelTimer?.();
      signal?.removeEventListener('abort', abort);
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  /** Closes the connection; calls in progress and later ones fail with `UNAVAILABLE`. */
  close(): void {
    this.#closed = true;
    this.#session?.destroy();
    this.#session = undefined;
  }

  #request(call: GrpcCall): ClientHttp2Stream {
    if (this.#closed) throw new GrpcError('UNAVAILABLE', call.method, 'the connection has been closed');
    const timeout = Math.ceil(Math.min(Math.max(call.timeoutMs, 1), LONGEST_TIMEOUT));
    const stream = this.#connected().request({
      ...call.metadata,
      ':method': 'POST',
      ':path': `/${call.method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kedge',
      ...(Number.isFinite(call.timeoutMs) && { 'grpc-timeout': `${timeout}m` }),
    });
    if (call.keepOpen) stream.write(frame(call.request));
    else stream.end(frame(call.request));
    return stream;
  }

  #connected(): ClientHttp2Session {
    const current = this.#session;
    if (current !== undefined && !current.closed && !current.destroyed) return current;
    const session = connectHttp2('http://localhost', {
      createConnection: () => this.#options.connect(),
      settings: { enablePush: false, initialWindowSize: WINDOW },
      maxSessionMemory: SESSION_MEMORY_MB,
    });
    const forget = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on('connect', () => session.setLocalWindowSize(WINDOW));
    // The streams of a broken session fail with its error, so its own error event has nothing to add.
    session.on('error', forget);
    session.on('goaway', forget);
    session.on('close', forget);
    this.#session = session;
    return session;
  }
}

/** How a call ends: by a failure on this side, by the server's trailers, or by a broken stream, in this order. */
class Outcome {
  readonly #stream: ClientHttp2Stream;
  readonly #method: string;
  readonly #server: string;
  readonly #closed: Promise<void>;
  #failure: unknown;
  #trailers: Headers | undefined;
  #httpStatus = 0;

  constructor(stream: ClientHttp2Stream, method: string, server: string) {
    this.#stream = stream;
    this.#method = method;
    this.#server = server;
    this.#closed = new Promise((resolve) => stream.once('close', () => resolve()));
    stream.on('response', (headers) => {
      this.#httpStatus = headers[':status'] ?? 0;
      if (headers['grpc-status'] !== undefined) this.#trailers = headers;
    });
    stream.on('trailers', (headers) => {
      this.#trailers = headers;
    });
    stream.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** Ends the call from this side. */
  fail(error: unknown): void {
    this.#failure ??= error;
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#stream.destroy();
  }

  /** Resolves when the call has ended with OK, else rejects with GrpcError. */
  async settled(): Promise<void> {
    await this.#closed;
    if (this.#failure instanceof GrpcError) throw this.#failure;
    if (this.#trailers !== undefined) {
      const code = GRPC_CODES[Number(this.#trailers['grpc-status'])] ?? 'UNKNOWN';
      if (code === 'OK') return;
      throw new GrpcError(code, this.#method, statusMessage(this.#trailers['grpc-message']));
    }
    if (this.#httpStatus !== 0 && this.#httpStatus !== 200) {
      throw new GrpcError('UNKNOWN', this.#method, `the server answered with HTTP status ${this.#httpStatus}`);
    }
    throw this.#broken();
  }

  #broken(): GrpcError {
    const error = this.#failure;
    const reset: Readonly<Record<number, GrpcCode>> = {
      [constants.NGHTTP2_REFUSED_STREAM]: 'UNAVAILABLE',
      [constants.NGHTTP2_CANCEL]: 'CANCELLED',
      [constants.NGHTTP2_ENHANCE_YOUR_CALM]: 'RESOURCE_EXHAUSTED',
    };
    if (error instanceof Error && 'code' in error && error.code === 'ERR_HTTP2_STREAM_ERROR') {
      const code = reset[this.#stream.rstCode ?? 0] ?? 'INTERNAL';
      return new GrpcError(code, this.#method, `the server reset the call: ${errorText(error)}`, { cause: error });
    }
    const reason = error === undefined ? 'the server closed the connection' : errorText(error);
    return new GrpcError('UNAVAILABLE', this.#method, `connection to ${this.#server}: ${reason}`, { cause: error });
  }
}

/** The text of a `grpc-message` header, which is percent-encoded UTF-8; taken as it is when it is not. */
function statusMessage(value: unknown): string {
  const text = typeof value === 'string' ? value : '';
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

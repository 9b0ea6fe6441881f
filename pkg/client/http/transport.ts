import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { constants } from 'node:http2';
import { type Clock, sleep } from '../../base/clock.ts';
import { errorText } from '../../base/log.ts';
import { answerError, UnreachableError } from './answer-error.ts';
import type { Connection } from './connection.ts';
import type { ConnectionPool } from './connection-pool.ts';

export interface TransportOptions {
  readonly pool: ConnectionPool;
  readonly userAgent: string;
  readonly clock: Clock;
  /** How long a request may take until its answer is complete, in ms. */
  readonly requestTimeoutMs: number;
  readonly signal: AbortSignal;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: { readonly contentType: string; readonly value: unknown };
  /** Doing it twice comes to the same as doing it once: it may be sent again when the server asks for that. */
  readonly idempotent: boolean;
}

const JSON_TYPE = 'application/json';
const MOST_TRIES = 5;
const LONGEST_RETRY_AFTER_S = 30;

interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The connection broke; `unsent` tells that the server has not begun with the request for sure. */
class BrokenError extends UnreachableError {
  readonly unsent: boolean;

  constructor(message: string, unsent: boolean) {
    super(message);
    this.unsent = unsent;
  }
}

/** Sends requests over a ConnectionPool: time limits, repetition where that is safe, failures as StatusErrors. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /**
   * The parsed JSON of an answer. Rejects with StatusError when the server refuses, with UnreachableError when none
   * answers. Sent again: what the server did not begin with; reads whose connection broke; idempotent requests
   * answered 429 or 503 with Retry-After.
   */
  async send(request: ApiRequest): Promise<unknown> {
    const { clock, signal } = this.#options;
    for (let tries = 1; ; tries++) {
      let answer: Answer;
      try {
        answer = await this.#once(request);
      } catch (error) {
        const again = error instanceof BrokenError && (error.unsent || request.method === 'GET');
        if (!again || tries >= MOST_TRIES || signal.aborted) throw error;
        continue;
      }
      if (answer.code >= 200 && answer.code < 300) return parseAnswer(answer.body);
      const delay = request.idempotent && tries < MOST_TRIES ? retryAfter(answer) : undefined;
      if (delay === undefined) throw answerError(answer.code, answer.body);
      await sleep(clock, delay, signal);
    }
  }

  /**
   * GETs a stream and hands on its bytes; resolves when it ends or `signal` aborts. What `onData` throws ends it and is
   * what it rejects with.
   */
  async stream(path: string, onData: (chunk: Buffer) => void, signal: AbortSignal): Promise<void> {
    const opened = await this.#options.pool.with(true, (connection) => ({
      connection,
      stream: signal.aborted ? undefined : this.#open(connection, { method: 'GET', path }, true),
    }));
    const { connection, stream } = opened;
    if (stream === undefined) return;
    let failure: unknown;
    const stop = (): void => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', stop);
    try {
      const headers = await this.#limited(connection, stream, responseOf(stream));
      const code = Number(headers[':status']);
      if (code !== 200) {
        const body = await this.#limited(connection, stream, bodyOf(stream));
        throw answerError(code, body);
      }
      await new Promise<void>((resolve) => {
        stream.once('close', resolve);
        stream.on('data', (chunk: Buffer) => {
          if (failure !== undefined) return;
          try {
            onData(chunk);
          } catch (error) {
            failure = error;
            stop();
          }
        });
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
    if (failure !== undefined && !signal.aborted) throw failure;
  }

  async #once(request: ApiRequest): Promise<Answer> {
    const { connection, stream } = await this.#options.pool.with(false, (free) => ({
      connection: free,
      stream: this.#open(free, request, false),
    }));
    const answer = async (): Promise<Answer> => {
      const headers = await responseOf(stream);
      return { code: Number(headers[':status']), headers, body: await bodyOf(stream) };
    };
    return this.#limited(connection, stream, answer());
  }

  #open(
    connection: Connection,
    request: Pick<ApiRequest, 'method' | 'path' | 'body'>,
    watch: boolean,
  ): ClientHttp2Stream {
    const { userAgent, pool } = this.#options;
    const { token } = pool.credentials;
    const headers = {
      ':method': request.method,
      ':path': request.path,
      accept: JSON_TYPE,
      'user-agent': userAgent,
      ...(request.body === undefined ? {} : { 'content-type': request.body.contentType }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body.value));
    try {
      const stream = connection.request(headers, body, watch);
      // Failures are seen by whoever waits; one that comes after that is nobody's.
      stream.on('error', () => {});
      return stream;
    } catch (error) {
      throw new BrokenError(`request not sent: ${errorText(error)}`, true);
    }
  }

  /** Waits for `work` on a stream, but no longer than a request may take; then looks whether the server is there. */
  async #limited<T>(connection: Connection, stream: ClientHttp2Stream, work: Promise<T>): Promise<T> {
    const { clock, requestTimeoutMs } = this.#options;
    const late = Promise.withResolvers<never>();
    const cancel = clock.setTimeout(() => {
      late.reject(new UnreachableError(`no answer from ${connection.server.host} within ${requestTimeoutMs / 1000} s`));
      stream.close(constants.NGHTTP2_CANCEL);
      connection.check();
    }, requestTimeoutMs);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      cancel();
    }
  }
}

function responseOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve);
    whenBroken(stream, reject);
  });
}

function bodyOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => {
      if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) {
        resolve(Buffer.concat(chunks).toString('utf8'));
      }
    });
    whenBroken(stream, reject);
  });
}

/** Calls `reject` once the stream is over: too late to matter where it was answered before. */
function whenBroken(stream: ClientHttp2Stream, reject: (error: BrokenError) => void): void {
  let cause: unknown;
  stream.once('error', (error) => {
    cause = error;
  });
  stream.once('close', () => {
    const unsent = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    reject(new BrokenError(cause === undefined ? 'the connection was closed' : errorText(cause), unsent));
  });
}

function parseAnswer(body: string): unknown {
  if (body === '') return undefined;
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new UnreachableError('the answer is no JSON: is the server an API server?', { cause: error });
  }
}

/** How long to wait before sending again, in ms; undefined: the answer does not ask for that. */
function retryAfter({ code, headers }: Answer): number | undefined {
  if (code !== 429 && code !== 503) return undefined;
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return Number.isInteger(seconds) && seconds >= 0 ? Math.min(seconds, LONGEST_RETRY_AFTER_S) * 1000 : undefined;
}

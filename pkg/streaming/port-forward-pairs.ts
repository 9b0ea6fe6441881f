import type { Cancel, Clock } from '../base/clock.ts';
import { errorText } from '../base/log.ts';
import type { SpdyStream } from './spdy/stream.ts';
import { STREAM_CREATION_TIMEOUT_MS } from './upgrade.ts';

interface HalfPair {
  data: SpdyStream | undefined;
  errors: SpdyStream | undefined;
  cancel: Cancel;
}

/**
 * Brings the two streams of each forwarded connection together: they carry the same `requestid`, one has `streamtype`
 * data, the other error. A stream whose other half does not come within 30 s is reset.
 */
export class StreamPairs {
  readonly #clock: Clock;
  readonly #onPair: (port: number, data: SpdyStream, errors: SpdyStream) => Promise<void>;
  readonly #waiting = new Map<string, HalfPair>();

  /** `onPair` must not reject. */
  constructor(clock: Clock, onPair: (port: number, data: SpdyStream, errors: SpdyStream) => Promise<void>) {
    this.#clock = clock;
    this.#onPair = onPair;
  }

  add(stream: SpdyStream): void {
    const type = stream.headers.get('streamtype');
    const port = Number(stream.headers.get('port'));
    if ((type !== 'data' && type !== 'error') || !Number.isInteger(port) || port < 1 || port > 65535) {
      stream.destroy();
      return;
    }
    const request = stream.headers.get('requestid') ?? legacyRequest(type, stream.id);
    const pair = this.#waiting.get(request) ?? this.#start(request);
    if ((type === 'data' ? pair.data : pair.errors) !== undefined) {
      stream.destroy();
      return;
    }
    if (type === 'data') {
      pair.data = stream;
    } else {
      pair.errors = stream;
      stream.resume();
    }
    if (pair.data === undefined || pair.errors === undefined) return;
    pair.cancel();
    this.#waiting.delete(request);
    const { data, errors } = pair;
    this.#onPair(port, data, errors).catch((error: unknown) => errors.destroy(new Error(errorText(error))));
  }

  /** Forgets the halves that wait. */
  close(): void {
    for (const pair of this.#waiting.values()) pair.cancel();
    this.#waiting.clear();
  }

  #start(request: string): HalfPair {
    const pair: HalfPair = {
      data: undefined,
      errors: undefined,
      cancel: this.#clock.setTimeout(() => {
        this.#waiting.delete(request);
        pair.data?.destroy();
        pair.errors?.destroy();
      }, STREAM_CREATION_TIMEOUT_MS),
    };
    this.#waiting.set(request, pair);
    return pair;
  }
}

/** Clients before Kubernetes 1.1 named no request but opened the error stream right before the data stream. */
function legacyRequest(type: 'data' | 'error', id: number): string {
  return `stream ${type === 'data' ? id - 2 : id}`;
}

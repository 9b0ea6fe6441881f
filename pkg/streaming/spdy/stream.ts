import { Duplex } from 'node:stream';
import { SpdyError } from './frames.ts';
import type { SpdyHeaders } from './header-block.ts';

/** Bytes received for a stream and not yet taken by its consumer at which the whole connection stops reading. */
export const STREAM_BUFFER = 256 * 1024;

/** What a stream needs of its connection. */
export interface StreamOwner {
  /** Sends DATA; `done` is called once the transport has room for more. */
  sendData(stream: SpdyStream, chunk: Buffer, done: () => void): void;
  /** Sends an empty DATA frame that ends this side of the stream. */
  sendFin(stream: SpdyStream): void;
  /** The stream is gone; when `cancel`, the peer is to be told. */
  forget(stream: SpdyStream, cancel: boolean): void;
  /** The stream's count of waiting bytes changed by `delta`. */
  buffered(stream: SpdyStream, delta: number): void;
}

/**
 * One stream of a SPDY connection. `end()` closes this side only (FIN), `destroy()` resets the stream.
 *
 * When the *peer* resets the stream or the connection is lost, what has been received stays readable and then ends, and
 * what is written is discarded: container runtimes reset every stream right behind the last output. `abortReason`
 * and the event 'abort' say that it was no orderly end; the stream destroys itself once 'end' has been emitted.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  /** Headers the stream was opened with. */
  readonly headers: SpdyHeaders;
  readonly #owner: StreamOwner;
  /** Received, not yet pushed; the owner's count always holds the sum of these lengths. */
  #queue: Buffer[] = [];
  #queued = 0;
  #wanted = false;
  #local: 'open' | 'closed' = 'open';
  #remote: 'open' | 'closed' = 'open';
  #abortReason: Error | undefined;

  constructor(owner: StreamOwner, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 });
    this.#owner = owner;
    this.id = id;
    this.headers = headers;
    // A reset stream reports itself to whoever uses it; one that nobody uses any more must not end the process.
    this.on('error', () => {});
    this.once('end', () => {
      if (this.#abortReason !== undefined) this.destroy();
    });
  }

  /** Why the stream ended out of order, if it did. */
  get abortReason(): Error | undefined {
    return this.#abortReason;
  }

  /** Bytes received and not yet handed to the consumer. */
  get queuedBytes(): number {
    return this.#queued;
  }

  /** For the connection: whether the peer has ended its side. */
  get remoteClosed(): boolean {
    return this.#remote === 'closed';
  }

  /** For the connection: data has arrived. */
  receive(chunk: Buffer): void {
    if (this.#remote === 'closed' || this.destroyed || chunk.length === 0) return;
    if (this.#wanted && this.#queued === 0) {
      this.#wanted = this.push(chunk);
      return;
    }
    this.#queue.push(chunk);
    this.#count(chunk.length);
  }

  /** For the connection: the peer has ended its side. */
  receiveFin(): void {
    if (this.#remote === 'closed') return;
    this.#remote = 'closed';
    if (this.#queued === 0) this.push(null);
  }

  /** For the connection: the peer has reset the stream, or the connection is lost. */
  abort(error: Error): void {
    if (this.#abortReason !== undefined || this.destroyed) return;
    this.#abortReason = error;
    this.#local = 'closed';
    this.receiveFin();
    if (this.readableEnded) this.destroy();
    else this.emit('abort', error);
  }

  override _read(): void {
    this.#wanted = true;
    while (this.#wanted) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) break;
      this.#count(-chunk.length);
      this.#wanted = this.push(chunk);
    }
    if (this.#queued === 0 && this.#remote === 'closed' && !this.destroyed) this.push(null);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#local === 'closed') done();
    else this.#owner.sendData(this, chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#local === 'open') {
      this.#local = 'closed';
      this.#owner.sendFin(this);
    }
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const cancel = this.#local === 'open' || this.#remote === 'open';
    this.#local = 'closed';
    this.#remote = 'closed';
    this.#queue = [];
    this.#count(-this.#queued);
    this.#owner.forget(this, cancel && this.#abortReason === undefined);
    done(error);
  }

  #count(delta: number): void {
    this.#queued += delta;
    if (delta !== 0) this.#owner.buffered(this, delta);
  }
}

/** The error of a stream that the peer has reset with `status`. */
export function resetError(status: number): SpdyError {
  return new SpdyError('ERR_SPDY_RESET', `spdy: stream was reset by the peer (status ${status})`);
}

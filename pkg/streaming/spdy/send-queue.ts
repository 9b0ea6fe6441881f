import type { Duplex } from 'node:stream';
import { dataFrameHeader } from './frames.ts';
import type { SpdyStream } from './stream.ts';

/** Largest DATA frame sent: streams that write at the same time take turns at this grain. */
const MAX_DATA_FRAME = 32 * 1024;

interface Job {
  stream: SpdyStream;
  rest: Buffer;
  done: () => void;
}

/** The frames a connection sends. DATA waits for the transport to have room, and streams take turns. */
export class SendQueue {
  readonly #transport: Duplex;
  readonly #onFrame: () => void;
  #jobs: Job[] = [];
  #closed = false;

  /** `onFrame` is called for each frame handed to the transport. */
  constructor(transport: Duplex, onFrame: () => void) {
    this.#transport = transport;
    this.#onFrame = onFrame;
    transport.on('drain', () => this.#flush());
  }

  /** Sends a control frame, or the header of a DATA frame and its payload, without waiting. */
  send(frame: Buffer, payload?: Buffer): void {
    if (this.#closed || !this.#transport.writable) return;
    this.#onFrame();
    if (payload === undefined) {
      this.#transport.write(frame);
      return;
    }
    this.#transport.cork();
    this.#transport.write(frame);
    this.#transport.write(payload);
    this.#transport.uncork();
  }

  /** Sends `chunk`; `done` is called when the transport has taken it, or when it never will. */
  sendData(stream: SpdyStream, chunk: Buffer, done: () => void): void {
    if (this.#closed) {
      done();
      return;
    }
    this.#jobs.push({ stream, rest: chunk, done });
    if (this.#jobs.length === 1) this.#flush();
  }

  /** Drops what waits of `stream`. */
  drop(stream: SpdyStream): void {
    const dropped = this.#jobs.filter((job) => job.stream === stream);
    if (dropped.length === 0) return;
    this.#jobs = this.#jobs.filter((job) => job.stream !== stream);
    for (const job of dropped) job.done();
  }

  /** Drops everything that waits; nothing is sent from now on. */
  close(): void {
    this.#closed = true;
    const jobs = this.#jobs;
    this.#jobs = [];
    for (const job of jobs) job.done();
  }

  #flush(): void {
    while (!this.#closed && !this.#transport.writableNeedDrain) {
      const job = this.#jobs.shift();
      if (job === undefined) return;
      if (job.stream.abortReason !== undefined) {
        job.done();
        continue;
      }
      const part = job.rest.subarray(0, MAX_DATA_FRAME);
      this.send(dataFrameHeader(job.stream.id, part.length, false), part);
      job.rest = job.rest.subarray(part.length);
      if (job.rest.length > 0) this.#jobs.push(job);
      else job.done();
    }
  }
}

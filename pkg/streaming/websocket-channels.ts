import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { type Cancel, type Clock, systemClock } from '../base/clock.ts';
import { IdleTimer } from './idle-timer.ts';
import { LINGER_MS } from './upgrade.ts';

/** Received and not consumed bytes of one channel at which reading from the websocket stops. */
const CHANNEL_BUFFER = 256 * 1024;
const MAX_MESSAGE_SENT = 32 * 1024;
/** Message `[255, n]` of protocol v5: the client has ended channel n. */
const CLOSE_SIGNAL = 255;
/** See `#setFull`. */
const PAUSED_PONG_MS = 2_000;

export interface ChannelOptions {
  /** Messages are text: one digit for the channel, then base64. */
  base64: boolean;
  /** Whether `[255, n]` ends channel n (protocol v5). */
  closeSignal: boolean;
  idleTimeoutMs: number;
  clock?: Clock;
}

/**
 * Several byte streams over one websocket, each message starting with the number of its channel: the `channel.k8s.io`
 * family of protocols (upstream: k8s.io/apimachinery wsstream).
 */
export class WebSocketChannels {
  readonly #ws: WebSocket;
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  readonly #channels = new Map<number, ChannelStream>();
  readonly #full = new Set<ChannelStream>();
  readonly #abort = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  readonly #idle: IdleTimer;
  #cancelPong: Cancel | undefined;

  constructor(ws: WebSocket, options: ChannelOptions) {
    this.#ws = ws;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#idle = new IdleTimer(this.#clock, options.idleTimeoutMs, () => ws.terminate());
    ws.on('message', (data: RawData) => this.#received(data));
    ws.on('ping', () => this.#idle.touch());
    ws.on('pong', () => this.#idle.touch());
    // A protocol error of the peer; ws closes the connection itself, and 'close' follows.
    ws.on('error', () => {});
    ws.once('close', () => {
      this.#idle.stop();
      this.#cancelPong?.();
      for (const channel of this.#channels.values()) channel.receiveEnd();
      this.#closed.resolve();
      this.#abort.abort();
    });
  }

  /** Aborts when the websocket is closed. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * The stream of channel `id`; one per id. What a client sends on a channel that is not `readable` is dropped. Ending
   * the stream tells the client nothing: the protocol has no such message towards clients.
   */
  open(id: number, readable: boolean): Duplex {
    const channel = new ChannelStream(
      (chunk, done) => this.#send(id, chunk, done),
      (full) => this.#setFull(channel, full),
      readable,
    );
    this.#channels.set(id, channel);
    return channel;
  }

  /** Sends an empty message on channel `id`, which tells the client that the session stands. */
  announce(id: number): void {
    this.#send(id, Buffer.alloc(0), () => {});
  }

  /** Drops all channels and closes the websocket in order; terminates it when the client does not answer within five seconds. */
  async close(): Promise<void> {
    // Nobody reads any more; and a socket paused for a slow reader would not see the client's answer.
    for (const channel of this.#channels.values()) channel.destroy();
    this.#ws.close(1000);
    const cancel = this.#clock.setTimeout(() => this.#ws.terminate(), LINGER_MS);
    await this.#closed.promise;
    cancel();
  }

  destroy(): void {
    this.#ws.terminate();
  }

  #received(data: RawData): void {
    this.#idle.touch();
    const message = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
    const first = message[0];
    if (first === undefined) return;
    if (this.#options.closeSignal && first === CLOSE_SIGNAL) {
      const target = message[1];
      if (target !== undefined) this.#channels.get(target)?.receiveEnd();
      return;
    }
    const id = this.#options.base64 ? first - 0x30 : first;
    const body = message.subarray(1);
    this.#channels.get(id)?.receive(this.#options.base64 ? Buffer.from(body.toString('latin1'), 'base64') : body);
  }

  #send(id: number, chunk: Buffer, done: () => void): void {
    const part = chunk.subarray(0, MAX_MESSAGE_SENT);
    const rest = chunk.subarray(part.length);
    this.#idle.touch();
    const message = this.#options.base64
      ? `${id}${part.toString('base64')}`
      : Buffer.concat([Buffer.from([id]), part], part.length + 1);
    this.#ws.send(message, { binary: !this.#options.base64 }, (error) => {
      // When the websocket is gone, `signal` tells; what is still written goes nowhere.
      if (error === undefined && rest.length > 0) this.#send(id, rest, done);
      else done();
    });
  }

  /**
   * Stops reading while any channel's consumer is behind. Pings of the client go unanswered then, and its end unseen: the
   * unsolicited pongs keep a living client waiting (any pong counts), and fail when it is gone.
   */
  #setFull(channel: ChannelStream, full: boolean): void {
    const wasPaused = this.#full.size > 0;
    if (full) this.#full.add(channel);
    else this.#full.delete(channel);
    const paused = this.#full.size > 0;
    if (paused === wasPaused) return;
    if (paused) {
      this.#ws.pause();
      this.#armPong();
    } else {
      this.#cancelPong?.();
      this.#ws.resume();
    }
  }

  #armPong(): void {
    this.#cancelPong = this.#clock.setTimeout(() => {
      this.#ws.pong(undefined, undefined, () => {});
      this.#armPong();
    }, PAUSED_PONG_MS);
  }
}

class ChannelStream extends Duplex {
  readonly #send: (chunk: Buffer, done: () => void) => void;
  readonly #setFull: (full: boolean) => void;
  #remote: 'open' | 'closed';

  constructor(send: (chunk: Buffer, done: () => void) => void, setFull: (full: boolean) => void, readable: boolean) {
    super({ allowHalfOpen: true, readableHighWaterMark: CHANNEL_BUFFER, writableHighWaterMark: 64 * 1024 });
    this.#send = send;
    this.#setFull = setFull;
    this.#remote = readable ? 'open' : 'closed';
    this.on('error', () => {});
    if (!readable) {
      this.push(null);
      this.resume();
    }
  }

  receive(chunk: Buffer): void {
    if (this.#remote === 'closed' || this.destroyed || chunk.length === 0) return;
    if (!this.push(chunk)) this.#setFull(true);
  }

  receiveEnd(): void {
    if (this.#remote === 'closed' || this.destroyed) return;
    this.#remote = 'closed';
    this.push(null);
  }

  override _read(): void {
    this.#setFull(false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#remote = 'closed';
    this.#setFull(false);
    done(error);
  }
}

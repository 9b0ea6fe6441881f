import type { Duplex } from 'node:stream';
import { type Cancel, type Clock, systemClock } from '../../base/clock.ts';
import { IdleTimer } from '../idle-timer.ts';
import { FrameParser } from './frame-parser.ts';
import {
  dataFrameHeader,
  type Frame,
  GOAWAY_STATUS,
  goAwayFrame,
  pingFrame,
  protocolError,
  RST_STATUS,
  rstStreamFrame,
  SpdyError,
  STREAM_ID_MASK,
  synReplyFrame,
  synStreamFrame,
} from './frames.ts';
import { HeaderDecoder, HeaderEncoder } from './header-block.ts';
import { SendQueue } from './send-queue.ts';
import { resetError, SpdyStream, STREAM_BUFFER } from './stream.ts';

/** Received bytes that wait for consumers, over all streams, at which reading stops. */
const CONNECTION_BUFFER = 4 * 1024 * 1024;
/** Bytes waiting to be sent at which reading stops: a peer that floods us with PINGs has to read the answers. */
const SEND_BUFFER = 1024 * 1024;
const MAX_STREAMS = 2048;
const CLOSE_GRACE_MS = 5_000;
/** How often a connection that has stopped reading looks whether the peer is still there. */
const PAUSED_PING_MS = 2_000;

export interface SpdyConnectionOptions {
  role: 'client' | 'server';
  /** Called for each stream the peer opens, after it was answered. Without it such streams are refused. */
  onStream?: (stream: SpdyStream) => void;
  /** Most streams open at a time; the peer's further ones are refused. */
  maxStreams?: number;
  /** The connection is destroyed when no frame went either way for this long; 0 = never. */
  idleTimeoutMs?: number;
  /** A PING is sent this often so that neither end nor a middlebox takes the connection for idle; 0 = never. */
  pingIntervalMs?: number;
  /**
   * While reading is paused for a slow consumer the end of the peer goes unseen; when true, PINGs are sent then, which
   * fail if the peer is gone. Leave it off towards peers that close right behind their last data: the failing write
   * would take with it what has not been read yet.
   */
  probeWhilePaused?: boolean;
  clock?: Clock;
}

type State = 'open' | 'closing' | 'closed';

/**
 * A SPDY/3.1 connection over any byte stream, in either role, as moby/spdystream speaks it: that implementation, which
 * kubectl and the container runtimes use, neither sends nor obeys WINDOW_UPDATE. Hence the send window is unlimited,
 * and backpressure is the transport's: a writer waits until the transport has drained, and when a stream's consumer
 * falls behind by 256 KiB (all together 4 MiB) the connection stops reading.
 *
 * Errors never escape as events: a breach of the protocol is answered by GOAWAY and closes the connection; `closed`
 * and `signal` tell.
 */
export class SpdyConnection {
  readonly #transport: Duplex;
  readonly #role: 'client' | 'server';
  readonly #options: SpdyConnectionOptions;
  readonly #clock: Clock;
  readonly #parser = new FrameParser();
  readonly #encoder = new HeaderEncoder();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #abort = new AbortController();
  readonly #overfull = new Set<SpdyStream>();
  readonly #closed = Promise.withResolvers<Error | undefined>();
  #state: State = 'open';
  #decoding = false;
  #pumping = false;
  #paused = false;
  #ended = false;
  #lossReason: Error | undefined;
  #buffered = 0;
  #lastPeerId = 0;
  #nextId: number;
  #nextPing: number;
  readonly #idle: IdleTimer;
  readonly #out: SendQueue;
  #cancelPing: Cancel | undefined;
  #cancelGrace: Cancel | undefined;

  /** Takes over `transport`; `head` are bytes already read from it. */
  constructor(transport: Duplex, options: SpdyConnectionOptions, head?: Buffer) {
    this.#transport = transport;
    this.#options = options;
    this.#role = options.role;
    this.#clock = options.clock ?? systemClock;
    this.#nextId = options.role === 'client' ? 1 : 2;
    this.#nextPing = this.#nextId;
    this.#idle = new IdleTimer(this.#clock, options.idleTimeoutMs ?? 0, (ms) =>
      this.#finish(new SpdyError('ERR_SPDY_IDLE', `spdy: no frame for ${ms / 1000} s`)),
    );
    transport.on('error', (error) =>
      this.#lost(new SpdyError('ERR_SPDY_CLOSED', 'spdy: transport failed', { cause: error })),
    );
    transport.on('close', () => this.#lost(undefined));
    transport.on('end', () => {
      this.#ended = true;
      this.#pump();
    });
    this.#out = new SendQueue(transport, () => this.#idle.touch());
    transport.on('drain', () => this.#resumeIfRoom());
    if (head !== undefined) this.#parser.push(head);
    transport.on('data', (chunk: Buffer) => {
      if (this.#state === 'closed') return;
      this.#parser.push(chunk);
      this.#pump();
    });
    this.#armPing();
    if (transport.destroyed) this.#lost(undefined);
    // Not at once: the caller gets the connection before its first stream.
    else if (head !== undefined && head.length > 0) setImmediate(() => this.#pump());
  }

  get state(): State {
    return this.#state;
  }

  /** Resolves when the connection is closed, with the reason if it was not an orderly end. Never rejects. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** Aborts when the connection is closed. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Streams open now. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Opens a stream; the peer's refusal shows as an abort of the stream. Throws a SpdyError unless open. */
  createStream(headers: Readonly<Record<string, string>>): SpdyStream {
    if (this.#state !== 'open') throw new SpdyError('ERR_SPDY_CLOSED', `spdy: connection is ${this.#state}`);
    const id = this.#nextId;
    if (id > STREAM_ID_MASK) throw new SpdyError('ERR_SPDY_CLOSED', 'spdy: stream ids are used up');
    const block = this.#encoder.encode(headers);
    this.#nextId += 2;
    const names = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const stream = new SpdyStream(this.#owner, id, names);
    this.#streams.set(id, stream);
    this.#out.send(synStreamFrame(id, block));
    return stream;
  }

  /**
   * Orderly end: GOAWAY, then the transport is ended behind everything written so far, then destroyed when the peer has
   * closed too or after five seconds. Streams still open are aborted.
   */
  close(): void {
    this.#shut(GOAWAY_STATUS.ok, undefined);
  }

  /** Drops the connection at once; open streams are aborted with `error`. */
  destroy(error?: Error): void {
    this.#finish(error);
  }

  readonly #owner = {
    sendData: (stream: SpdyStream, chunk: Buffer, done: () => void): void => this.#out.sendData(stream, chunk, done),
    sendFin: (stream: SpdyStream): void => this.#out.send(dataFrameHeader(stream.id, 0, true)),
    forget: (stream: SpdyStream, cancel: boolean): void => {
      this.#streams.delete(stream.id);
      this.#overfull.delete(stream);
      this.#out.drop(stream);
      if (cancel) this.#out.send(rstStreamFrame(stream.id, RST_STATUS.cancel));
      this.#resumeIfRoom();
    },
    buffered: (stream: SpdyStream, delta: number): void => {
      this.#buffered += delta;
      if (stream.queuedBytes >= STREAM_BUFFER) this.#overfull.add(stream);
      else this.#overfull.delete(stream);
      if (delta < 0) this.#resumeIfRoom();
    },
  };

  get #blocked(): boolean {
    return (
      this.#overfull.size > 0 || this.#buffered >= CONNECTION_BUFFER || this.#transport.writableLength >= SEND_BUFFER
    );
  }

  #resumeIfRoom(): void {
    if (this.#paused && !this.#pumping && !this.#blocked) this.#pump();
  }

  #pump(): void {
    if (this.#pumping || this.#state === 'closed') return;
    this.#pumping = true;
    let starved = false;
    try {
      while (this.#isLive() && !this.#decoding && !this.#blocked) {
        const frame = this.#parser.next();
        if (frame === undefined) {
          starved = true;
          break;
        }
        this.#idle.touch();
        this.#handle(frame);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
    if (!this.#isLive()) return;
    if (starved && this.#ended) {
      this.#finish(this.#lossReason);
      return;
    }
    this.#setPaused(!starved);
  }

  /**
   * The transport is gone. A server drops everything at once: there is no one left to serve. A client first hands on what
   * it has received, because the other end closes right behind its last words.
   */
  #lost(error: Error | undefined): void {
    if (this.#role === 'server') {
      this.#finish(error);
      return;
    }
    this.#ended = true;
    this.#lossReason ??= error;
    this.#pump();
  }

  /** A method, so that the compiler does not take an earlier look at the state for a lasting fact. */
  #isLive(): boolean {
    return this.#state !== 'closed';
  }

  #setPaused(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    if (paused) this.#transport.pause();
    else this.#transport.resume();
    this.#armPing();
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case 'synStream':
        this.#checkPeerId(frame.id);
        this.#decode(frame.block, (headers) => {
          if (this.#state !== 'open') return;
          const full = this.#streams.size >= (this.#options.maxStreams ?? MAX_STREAMS);
          if (full || this.#options.onStream === undefined) {
            this.#out.send(rstStreamFrame(frame.id, RST_STATUS.refusedStream));
            return;
          }
          const stream = new SpdyStream(this.#owner, frame.id, headers);
          this.#streams.set(frame.id, stream);
          this.#out.send(synReplyFrame(frame.id, this.#encoder.encode({})));
          if (frame.unidirectional) stream.end();
          if (frame.fin) stream.receiveFin();
          this.#options.onStream(stream);
        });
        return;
      case 'synReply':
      case 'headers':
        // The header must be read even if nobody wants it: the compression runs through all of them.
        this.#decode(frame.block, () => {
          if (frame.fin) this.#streams.get(frame.id)?.receiveFin();
        });
        return;
      case 'data': {
        const stream = this.#streams.get(frame.id);
        // Data may be under way when a stream is reset; only an id that was never opened is a mistake.
        if (stream === undefined && !this.#wasOpened(frame.id)) {
          throw protocolError(`DATA frame of stream ${frame.id}, which was never opened`);
        }
        if (stream?.remoteClosed === true && stream.abortReason === undefined) {
          throw protocolError(`DATA frame behind the end of stream ${frame.id}`);
        }
        stream?.receive(frame.chunk);
        if (frame.fin) stream?.receiveFin();
        return;
      }
      case 'rstStream':
        this.#streams.get(frame.id)?.abort(resetError(frame.status));
        return;
      case 'ping':
        // Ours carry our parity: such a one is an answer.
        if (frame.id % 2 !== this.#nextPing % 2) this.#out.send(pingFrame(frame.id));
        return;
      case 'goAway':
        for (const stream of [...this.#streams.values()]) {
          const refused = !this.#isPeerId(stream.id) && stream.id > frame.lastGoodId;
          if (refused && frame.status !== GOAWAY_STATUS.ok) stream.abort(resetError(RST_STATUS.refusedStream));
        }
        return;
      case 'settings':
      case 'windowUpdate':
        return;
    }
  }

  #isPeerId(id: number): boolean {
    return id % 2 === (this.#role === 'server' ? 1 : 0);
  }

  #wasOpened(id: number): boolean {
    return this.#isPeerId(id) ? id <= this.#lastPeerId : id < this.#nextId;
  }

  #checkPeerId(id: number): void {
    if (!this.#isPeerId(id)) throw protocolError(`SYN_STREAM with id ${id}, which is ours to give`);
    if (id <= this.#lastPeerId) throw protocolError(`SYN_STREAM with id ${id} behind ${this.#lastPeerId}`);
    this.#lastPeerId = id;
  }

  #decode(block: Buffer, then: (headers: ReadonlyMap<string, string>) => void): void {
    this.#decoding = true;
    this.#decoder.decode(block).then(
      (headers) => {
        this.#decoding = false;
        if (!this.#isLive()) return;
        try {
          then(headers);
        } catch (error) {
          this.#fail(error);
        }
        this.#pump();
      },
      (error: unknown) => {
        this.#decoding = false;
        this.#fail(error);
      },
    );
  }

  #fail(cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const status = error instanceof SpdyError ? GOAWAY_STATUS.protocolError : GOAWAY_STATUS.internalError;
    this.#shut(status, error);
  }

  #shut(status: number, error: Error | undefined): void {
    if (this.#state !== 'open') {
      if (error !== undefined) this.#finish(error);
      return;
    }
    this.#out.send(goAwayFrame(this.#lastPeerId, status));
    if (error !== undefined) {
      // Nothing the peer says after a breach is to be believed: let the GOAWAY out and close.
      this.#transport.end(() => this.#transport.destroy());
      this.#finish(error, true);
      return;
    }
    this.#state = 'closing';
    for (const stream of [...this.#streams.values()]) {
      stream.abort(new SpdyError('ERR_SPDY_CLOSED', 'spdy: connection was closed'));
    }
    this.#transport.end();
    this.#cancelGrace = this.#clock.setTimeout(() => this.#finish(undefined), CLOSE_GRACE_MS);
  }

  /** The one way into the state 'closed'. With `lingering` the transport goes down by itself soon. */
  #finish(error: Error | undefined, lingering = false): void {
    if (this.#state === 'closed') return;
    const orderly = this.#state === 'closing' || (this.#ended && this.#streams.size === 0);
    this.#state = 'closed';
    this.#idle.stop();
    this.#cancelPing?.();
    this.#cancelGrace?.();
    this.#decoder.close();
    const reason = error ?? (orderly ? undefined : new SpdyError('ERR_SPDY_CLOSED', 'spdy: connection was lost'));
    for (const stream of [...this.#streams.values()]) {
      stream.abort(reason ?? new SpdyError('ERR_SPDY_CLOSED', 'spdy: connection was closed'));
    }
    this.#out.close();
    if (lingering) {
      this.#transport.resume();
      const cancel = this.#clock.setTimeout(() => this.#transport.destroy(), CLOSE_GRACE_MS);
      this.#transport.once('close', cancel);
    } else {
      this.#transport.destroy();
    }
    this.#closed.resolve(reason);
    this.#abort.abort(reason);
  }

  #armPing(): void {
    this.#cancelPing?.();
    const probing = this.#paused && this.#options.probeWhilePaused === true;
    const interval = probing ? PAUSED_PING_MS : this.#paused ? 0 : (this.#options.pingIntervalMs ?? 0);
    if (interval <= 0 || this.#state === 'closed') return;
    this.#cancelPing = this.#clock.setTimeout(() => {
      this.#out.send(pingFrame(this.#nextPing));
      this.#nextPing = (this.#nextPing + 2) & STREAM_ID_MASK;
      this.#armPing();
    }, interval);
  }
}

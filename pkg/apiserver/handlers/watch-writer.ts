import type { Exchange } from '../http/exchange.ts';

/** One piece of a watch's stream. Encoded when the client is ready for it: till then it costs no memory of its own. */
export interface WatchPiece {
  /** About how much it will be, in bytes. */
  readonly size: number;
  encode(): Buffer;
}

/**
 * Writes a watch at the pace of its client. What waits is bounded: a client that falls behind by more than `limit`
 * bytes is given up. Pieces of what the watch began with are not counted: they are there at once, however quick the
 * client, and stand for objects that are in memory anyway.
 */
export class WatchWriter {
  readonly #response: Exchange['response'];
  readonly #limit: number;
  readonly #giveUp: () => void;
  #waiting: WatchPiece[] = [];
  #counting = false;
  #counted = 0;
  /** How many of `#waiting`, from the front, are not counted. */
  #free = 0;
  #blocked = false;
  #closed = false;

  /** `giveUp` is called once, when the client turned out too slow. */
  constructor(response: Exchange['response'], limit: number, giveUp: () => void) {
    this.#response = response;
    this.#limit = limit;
    this.#giveUp = giveUp;
  }

  write(piece: WatchPiece): void {
    if (this.#closed) return;
    if (!this.#blocked) {
      this.#send(piece);
      return;
    }
    this.#waiting.push(piece);
    if (!this.#counting) {
      this.#free++;
      return;
    }
    this.#counted += piece.size;
    if (this.#counted <= this.#limit) return;
    this.close();
    this.#giveUp();
  }

  /** From now on what waits is counted: the watch's beginning has been written. */
  startCounting(): void {
    this.#counting = true;
  }

  /** Nothing more is written, what waits is dropped. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #send(piece: WatchPiece): void {
    if (this.#response.destroyed) {
      this.close();
      return;
    }
    if (this.#response.write(piece.encode())) return;
    this.#blocked = true;
    this.#response.once('drain', () => this.#drain());
  }

  #drain(): void {
    this.#blocked = false;
    let sent = 0;
    while (sent < this.#waiting.length && !this.#blocked && !this.#closed) {
      const piece = this.#waiting[sent];
      if (piece === undefined) break;
      if (sent >= this.#free) this.#counted -= piece.size;
      sent++;
      this.#send(piece);
    }
    // Cut once per drain: shifting each piece off a long list would cost more than writing it.
    this.#waiting = this.#waiting.slice(sent);
    this.#free = Math.max(0, this.#free - sent);
  }
}

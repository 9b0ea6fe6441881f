import type { Clock } from '../../base/clock.ts';

export interface CachedReply {
  readonly message: Buffer;
  readonly ttlOffsets: readonly number[];
  readonly storedAt: number;
  readonly expiresAt: number;
}

const MOST_ENTRIES = 2048;
/** Longer replies are rare and would make the bound on entries mean little. */
const LONGEST_MESSAGE = 4096;

/** Upstreams' replies until they expire, at most 2,048; the least recently used goes first. No timer: stale ones are replaced. */
export class ReplyCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, CachedReply>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): CachedReply | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    this.#entries.delete(key);
    if (found.expiresAt <= this.#clock.now()) return undefined;
    this.#entries.set(key, found);
    return found;
  }

  put(key: string, message: Buffer, ttlOffsets: readonly number[], ttlSeconds: number): void {
    if (ttlSeconds <= 0 || message.length > LONGEST_MESSAGE) return;
    const now = this.#clock.now();
    this.#entries.delete(key);
    // A copy: a slice would keep the socket's whole receive buffer.
    const entry = { message: Buffer.from(message), ttlOffsets, storedAt: now, expiresAt: now + ttlSeconds * 1000 };
    this.#entries.set(key, entry);
    if (this.#entries.size > MOST_ENTRIES) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
  }

  clear(): void {
    this.#entries.clear();
  }
}

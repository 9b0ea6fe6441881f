import type { Clock } from '../base/clock.ts';

/** How long repeated failures of one thing keep it waiting: client-go's flowcontrol.Backoff, per key. */
export class Backoff {
  readonly #clock: Clock;
  readonly #first: number;
  readonly #longest: number;
  readonly #entries = new Map<string, { delay: number; updatedAt: number }>();

  /** Delays in milliseconds; upstream's kubelet uses 10 s and 300 s for containers and for images. */
  constructor(clock: Clock, first = 10_000, longest = 300_000) {
    this.#clock = clock;
    this.#first = first;
    this.#longest = longest;
  }

  /** The present delay of `key`, in milliseconds; 0 when it has none. */
  delay(key: string): number {
    return this.#entries.get(key)?.delay ?? 0;
  }

  /**
   * Milliseconds still to wait after the failure at `failedAt` before another attempt; 0 for none. What went well for
   * longer than twice the longest delay is forgiven.
   */
  remaining(key: string, failedAt: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#forgiven(entry, failedAt)) return 0;
    return Math.max(0, failedAt + entry.delay - this.#clock.now());
  }

  /** Notes an attempt after the failure at `failedAt`: the next failure waits twice as long. */
  next(key: string, failedAt: number): void {
    const now = this.#clock.now();
    const entry = this.#entries.get(key);
    const fresh = entry === undefined || this.#forgiven(entry, failedAt);
    const delay = fresh ? this.#first : Math.min(entry.delay * 2, this.#longest);
    this.#entries.set(key, { delay, updatedAt: now });
  }

  reset(key: string): void {
    this.#entries.delete(key);
  }

  /** Forgets the keys that begin with `prefix`: their Pod is gone. */
  forgetPrefix(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }

  #forgiven(entry: { updatedAt: number }, failedAt: number): boolean {
    return failedAt - entry.updatedAt > 2 * this.#longest;
  }
}

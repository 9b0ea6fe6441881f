import type { Clock } from '../base/clock.ts';

const FIRST_MS = 1000;

interface Entry {
  readonly at: number;
  readonly delay: number;
}

/** How long a failed Pod in its place (a node, a name) is left alone; it doubles with each that is replaced. */
export class FailedPodBackoff {
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, longestMs: number) {
    this.#clock = clock;
    this.#longestMs = longestMs;
  }

  /** Milliseconds until the next failed Pod may be replaced. */
  remaining(uid: string, place: string): number {
    const entry = this.#entries.get(`${uid}/${place}`);
    return entry === undefined ? 0 : Math.max(0, entry.at + entry.delay - this.#clock.now());
  }

  /** Notes that a failed Pod is replaced now. */
  next(uid: string, place: string): void {
    const now = this.#clock.now();
    // What has been quiet for long is forgotten: the map holds only places in trouble.
    for (const [key, { at, delay }] of this.#entries) {
      if (now - at > Math.max(2 * delay, this.#longestMs)) this.#entries.delete(key);
    }
    const key = `${uid}/${place}`;
    const delay = this.#entries.get(key)?.delay;
    this.#entries.set(key, { at: now, delay: delay === undefined ? FIRST_MS : Math.min(2 * delay, this.#longestMs) });
  }
}

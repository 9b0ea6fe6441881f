import type { Clock } from '../../base/clock.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 15 * 60_000;

interface Entry {
  readonly at: number;
  readonly delay: number;
}

/** How long a failed Pod of a set on a node is left alone; it doubles with each that is replaced. */
export class FailedPodBackoff {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the next failed Pod may be replaced. */
  remaining(uid: string, nodeName: string): number {
    const entry = this.#entries.get(`${uid}/${nodeName}`);
    return entry === undefined ? 0 : Math.max(0, entry.at + entry.delay - this.#clock.now());
  }

  /** Notes that a failed Pod is replaced now. */
  next(uid: string, nodeName: string): void {
    const now = this.#clock.now();
    // What has been quiet for long is forgotten: the map holds only nodes in trouble.
    for (const [key, { at, delay }] of this.#entries) {
      if (now - at > Math.max(2 * delay, LONGEST_MS)) this.#entries.delete(key);
    }
    const key = `${uid}/${nodeName}`;
    const delay = this.#entries.get(key)?.delay;
    this.#entries.set(key, { at: now, delay: delay === undefined ? FIRST_MS : Math.min(2 * delay, LONGEST_MS) });
  }
}

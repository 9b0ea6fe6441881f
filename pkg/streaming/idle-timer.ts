import type { Cancel, Clock } from '../base/clock.ts';

/**
 * Calls `onIdle` once when `touch` was not called for `idleMs` milliseconds (0 = never). Touching costs one read of the
 * clock: the timer is not set anew each time but looks back when it fires.
 */
export class IdleTimer {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #onIdle: (idleMs: number) => void;
  #touchedAt: number;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, idleMs: number, onIdle: (idleMs: number) => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
    this.#touchedAt = clock.now();
    if (idleMs > 0) this.#arm(idleMs);
  }

  touch(): void {
    this.#touchedAt = this.#clock.now();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(delay: number): void {
    this.#cancel = this.#clock.setTimeout(() => {
      const left = this.#touchedAt + this.#idleMs - this.#clock.now();
      if (left > 0) this.#arm(left);
      else this.#onIdle(this.#idleMs);
    }, delay);
  }
}

import type { Cancel, Clock } from '../../base/clock.ts';

interface Waiter {
  readonly revision: number;
  resolve(reached: boolean): void;
  reject(error: Error): void;
}

/** How far the watch has come, and who waits for it to come further. */
export class Progress {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  #revision = 0;
  #failure: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Starts from `revision`. */
  reach(revision: number): void {
    this.#revision = revision;
  }

  /** `publish` hands the events up to `revision` out; those who wait for it go on afterwards. */
  advance(revision: number, publish: () => void): void {
    this.#revision = revision;
    publish();
    for (const waiter of this.#waiters) if (waiter.revision <= revision) waiter.resolve(true);
  }

  /** Resolves to true once `revision` is reached, to false after `ms` milliseconds. Rejects with what `fail` was given. */
  waitFor(revision: number, ms: number): Promise<boolean> {
    if (revision <= this.#revision) return Promise.resolve(true);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      let cancel: Cancel = () => {};
      const waiter: Waiter = {
        revision,
        resolve: (reached) => {
          this.#waiters.delete(waiter);
          cancel();
          resolve(reached);
        },
        reject: (error) => {
          this.#waiters.delete(waiter);
          cancel();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      cancel = this.#clock.setTimeout(() => waiter.resolve(false), ms);
    });
  }

  /** Nothing will come any more. */
  fail(error: Error): void {
    this.#failure = error;
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}

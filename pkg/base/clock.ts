/** Time as a dependency: everything that waits or reads the time takes a Clock, so tests own it. */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `fn` once after `ms` milliseconds unless cancelled; the timer never keeps the process alive. */
  setTimeout(fn: () => void, ms: number): Cancel;
}

export type Cancel = () => void;

/** setTimeout holds its delay in 31 bits; a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(fn, ms) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), LONGEST_DELAY));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms` milliseconds, or at once when `signal` aborts (it never rejects: check `signal.aborted`). */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Keeps the process from ending before `work` has: a clock's timers do not. For work that may be all there is. */
export async function holdProcess<T>(work: () => Promise<T>): Promise<T> {
  const handle = setInterval(() => {}, LONGEST_DELAY);
  try {
    return await work();
  } finally {
    clearInterval(handle);
  }
}

/** A clock that moves only when told to, firing due timers in order; for tests. */
export class FakeClock implements Clock {
  #now: number;
  #timers: { at: number; fn: () => void }[] = [];

  constructor(now = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** Sets the time as an operator does: timers run on. */
  set(now: number): void {
    for (const timer of this.#timers) timer.at += now - this.#now;
    this.#now = now;
  }

  setTimeout(fn: () => void, ms: number): Cancel {
    const timer = { at: this.#now + Math.max(ms, 0), fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time forward by `ms`, letting promise callbacks run between timers. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await new Promise(setImmediate);
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.at);
      due.fn();
    }
    this.#now = end;
  }
}

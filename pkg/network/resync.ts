import type { Clock } from '../base/clock.ts';

export interface ResyncOptions {
  readonly clock: Clock;
  /** Puts the world in order; called again after it fails. Never runs twice at a time. */
  readonly work: () => Promise<void>;
  readonly onError: (error: unknown, retryMs: number) => void;
  /** Least time between the starts of two runs, ms: a burst of triggers becomes few runs. */
  readonly minIntervalMs: number;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 30_000;

/**
 * Runs `work` at once when triggered after a quiet time, at the end of the interval when triggered within it, and with
 * growing delays (100 ms doubling to 30 s) after failures. No timer runs while there is nothing to do.
 */
export class Resync {
  readonly #options: ResyncOptions;
  #wanted = false;
  #running: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #lastStart = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #stopped = false;
  readonly #waiting: (() => void)[] = [];

  constructor(options: ResyncOptions) {
    this.#options = options;
  }

  trigger(): void {
    this.#wanted = true;
    // After a failure the retry's time stands: a stream of changes must not become a stream of failures.
    if (this.#stopped || this.#running !== undefined || this.#cancelTimer !== undefined) return;
    const { clock, minIntervalMs } = this.#options;
    this.#after(Math.max(0, this.#lastStart + minIntervalMs - clock.now()));
  }

  /** Resolves when no run is in progress or due: what triggered is done. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#settle();
    });
  }

  #settle(): void {
    if (this.#running !== undefined || (this.#cancelTimer !== undefined && !this.#stopped)) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when the run in progress has ended; none starts afterwards. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    await this.#running;
    this.#settle();
  }

  #after(ms: number): void {
    // Even at once is a turn later, so that the events of one batch are one run.
    this.#cancelTimer = this.#options.clock.setTimeout(() => {
      this.#cancelTimer = undefined;
      this.#running = this.#run();
    }, ms);
  }

  async #run(): Promise<void> {
    this.#wanted = false;
    this.#lastStart = this.#options.clock.now();
    let retryMs: number | undefined;
    try {
      await this.#options.work();
      this.#failures = 0;
    } catch (error) {
      retryMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS);
      this.#failures += 1;
      this.#wanted = true;
      this.#options.onError(error, retryMs);
    }
    this.#running = undefined;
    if (!this.#stopped && this.#wanted) {
      if (retryMs === undefined) this.trigger();
      else this.#after(retryMs);
    }
    this.#settle();
  }
}

import type { Clock } from '../base/clock.ts';

const FIRST_RETRY_MS = 5;
const LONGEST_RETRY_MS = 1000 * 1000;

/**
 * client-go's rate limiting work queue: a key is handed out once at a time however often it was added, keys added
 * while being worked on come again afterwards, and failures come back after an exponentially growing delay
 * (5 ms doubling to 1000 s). It holds at most one entry per key: bounded by the number of objects.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #waiting = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { at: number; cancel: () => void }>();
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(key: string): void {
    if (this.#active.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#waiting.add(key);
    this.#wake?.();
  }

  /** Adds `key` after `ms` milliseconds; of several delays of one key the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.now() + ms;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined) {
      if (earlier.at <= at) return;
      earlier.cancel();
    }
    const cancel = this.#clock.setTimeout(() => {
      this.#delayed.delete(key);
      this.add(key);
    }, ms);
    this.#delayed.set(key, { at, cancel });
  }

  /** Adds `key` after its next back-off delay. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS));
  }

  /** Forgets the failures of `key`. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /**
   * Works keys off with up to `workers` at a time until `signal` aborts; resolves when the last one has ended. A
   * failing `work` is reported to `onError` and retried with back-off.
   */
  async run(
    workers: number,
    work: (key: string) => Promise<void>,
    onError: (key: string, error: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const running = new Set<Promise<void>>();
    const wakeUp = (): void => this.#wake?.();
    signal.addEventListener('abort', wakeUp);
    while (!signal.aborted) {
      const key = this.#waiting.values().next().value;
      if (key === undefined || running.size >= workers) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        continue;
      }
      this.#waiting.delete(key);
      this.#active.add(key);
      const job = this.#one(key, work, onError).finally(() => {
        running.delete(job);
        this.#wake?.();
      });
      running.add(job);
    }
    signal.removeEventListener('abort', wakeUp);
    for (const delayed of this.#delayed.values()) delayed.cancel();
    this.#delayed.clear();
    await Promise.all(running);
  }

  async #one(
    key: string,
    work: (key: string) => Promise<void>,
    onError: (key: string, error: unknown) => void,
  ): Promise<void> {
    try {
      await work(key);
      this.forget(key);
    } catch (error) {
      onError(key, error);
      this.retry(key);
    } finally {
      this.#active.delete(key);
      if (this.#again.delete(key)) this.add(key);
    }
  }
}

const FIRST_MS = 200;

/** Delays that double up to a limit, each between half and the whole of its step, so that clients do not come in step. */
export class RetryDelay {
  readonly #longest: number;
  readonly #random: () => number;
  #failures = 0;

  /** `longest` in ms; `random` gives numbers in [0, 1). */
  constructor(longest: number, random: () => number) {
    this.#longest = longest;
    this.#random = random;
  }

  /** The delay before the next attempt, in ms. */
  next(): number {
    const step = Math.min(FIRST_MS * 2 ** this.#failures, this.#longest);
    this.#failures = Math.min(this.#failures + 1, 30);
    return step * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}

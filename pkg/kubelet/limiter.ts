/** Lets at most `limit` pieces of work run at once; the others wait their turn in order. */
export class Limiter {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // A waiting piece of work takes over the place; otherwise it becomes free.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

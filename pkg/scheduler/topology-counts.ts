/** Numbers by place: a topology key with the value that nodes of the place have for it. Zeros are not kept. */
export class TopologyCounts {
  readonly #byKey = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  get(key: string, value: string): number {
    return this.#byKey.get(key)?.get(value) ?? 0;
  }

  /** Adds to the place that a node with `labels` is in; a node without the label is in none. */
  add(key: string, labels: Readonly<Record<string, string>> | undefined, amount: number): void {
    const value = labels?.[key];
    if (value === undefined || amount === 0) return;
    let byValue = this.#byKey.get(key);
    if (byValue === undefined) {
      byValue = new Map();
      this.#byKey.set(key, byValue);
    }
    const sum = (byValue.get(value) ?? 0) + amount;
    if (sum !== 0) byValue.set(value, sum);
    else byValue.delete(value);
    if (byValue.size === 0) this.#byKey.delete(key);
  }

  /** The sum over all places that a node with `labels` is in. */
  sum(labels: Readonly<Record<string, string>> | undefined): number {
    let sum = 0;
    for (const [key, byValue] of this.#byKey) {
      const value = labels?.[key];
      if (value !== undefined) sum += byValue.get(value) ?? 0;
    }
    return sum;
  }

  /** Whether a node with `labels` is in any place with more than 0. */
  anyPositive(labels: Readonly<Record<string, string>> | undefined): boolean {
    for (const [key, byValue] of this.#byKey) {
      const value = labels?.[key];
      if (value !== undefined && (byValue.get(value) ?? 0) > 0) return true;
    }
    return false;
  }
}

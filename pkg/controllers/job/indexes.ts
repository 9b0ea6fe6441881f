/** Sets of completion indexes in the compact text of a Job's status: `1,3-5,7`. */

interface Interval {
  readonly first: number;
  readonly last: number;
}

/** An immutable set of completion indexes, kept as sorted intervals: a Job may have 100,000 of them. */
export class IndexSet {
  static readonly empty = new IndexSet([]);
  /** Sorted; neither overlapping nor touching. */
  readonly #intervals: readonly Interval[];

  private constructor(intervals: readonly Interval[]) {
    this.#intervals = intervals;
  }

  /** Reads `text`; indexes of `completions` and above (the Job was made smaller) and unreadable parts are left out. */
  static parse(text: string | undefined, completions: number): IndexSet {
    const intervals: Interval[] = [];
    for (const part of (text ?? '').split(',')) {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part);
      if (match === null) continue;
      const first = Number(match[1]);
      if (first < completions) intervals.push({ first, last: Math.min(Number(match[2] ?? first), completions - 1) });
    }
    return new IndexSet(merged(intervals));
  }

  get size(): number {
    return this.#intervals.reduce((total, { first, last }) => total + last - first + 1, 0);
  }

  has(index: number): boolean {
    return this.#intervals.some(({ first, last }) => first <= index && index <= last);
  }

  with(indexes: Iterable<number>): IndexSet {
    const added = [...indexes].map((index) => ({ first: index, last: index }));
    return added.length === 0 ? this : new IndexSet(merged([...this.#intervals, ...added]));
  }

  /** How many of `others` are in this set too. */
  countCommon(others: IndexSet): number {
    let common = 0;
    for (const a of this.#intervals) {
      for (const b of others.#intervals) {
        common += Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
      }
    }
    return common;
  }

  /** The text of the status: two neighbours are listed, three or more become a range. */
  toString(): string {
    return this.#intervals
      .map(({ first, last }) => {
        if (first === last) return String(first);
        return last === first + 1 ? `${first},${last}` : `${first}-${last}`;
      })
      .join(',');
  }
}

function merged(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const next of [...intervals].sort((a, b) => a.first - b.first)) {
    const last = result.at(-1);
    if (last === undefined || next.first > last.last + 1) result.push(next);
    else result[result.length - 1] = { first: last.first, last: Math.max(last.last, next.last) };
  }
  return result;
}

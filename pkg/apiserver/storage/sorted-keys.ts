/** Of fewer changes than this, the order is always kept up. */
const FEW = 1000;

/**
 * The keys of a map in order. They are sorted when somebody asks; what came and went since the last time is put in its
 * place then, which takes a small part of the time that sorting all of them anew would take.
 */
export class SortedKeys {
  readonly #all: () => Iterable<string>;
  /** Undefined: nobody has asked yet, or so much has changed since that sorting anew is no dearer. */
  #sorted: string[] | undefined;
  /** In `#sorted`, but gone. */
  readonly #gone = new Set<string>();
  /** Not in `#sorted` yet. */
  readonly #added = new Set<string>();

  /** `all` gives the keys there are, in any order. */
  constructor(all: () => Iterable<string>) {
    this.#all = all;
  }

  /** A key that was not there before is now. */
  add(key: string): void {
    if (this.#sorted === undefined || this.#gone.delete(key)) return;
    this.#added.add(key);
    this.#limitChanges(this.#sorted);
  }

  /** A key is no longer there. */
  delete(key: string): void {
    if (this.#sorted === undefined || this.#added.delete(key)) return;
    this.#gone.add(key);
    this.#limitChanges(this.#sorted);
  }

  /** The keys that start with `prefix` and come after `after`, at most `limit` of them. */
  range(prefix: string, after: string, limit: number): string[] {
    const [from, to] = this.#bounds(prefix, after);
    return this.#inOrder().slice(from, Math.min(to, from + limit));
  }

  /** How many there are of them. */
  count(prefix: string, after: string): number {
    const [from, to] = this.#bounds(prefix, after);
    return to - from;
  }

  #bounds(prefix: string, after: string): [from: number, to: number] {
    const keys = this.#inOrder();
    const first = lowerBound(keys, after > prefix ? after : prefix);
    const from = keys[first] === after ? first + 1 : first;
    // No key has a character as high as this one.
    return [from, Math.max(from, lowerBound(keys, `${prefix}\uffff`))];
  }

  #inOrder(): string[] {
    let keys = this.#sorted;
    if (keys === undefined) keys = [...this.#all()].sort();
    else if (this.#gone.size > 0) keys = keys.filter((key) => !this.#gone.has(key));
    // Sorting takes notice of what is in order already.
    if (this.#added.size > 0) keys = [...keys, ...this.#added].sort();
    this.#sorted = keys;
    this.#gone.clear();
    this.#added.clear();
    return keys;
  }

  #limitChanges({ length }: string[]): void {
    const changes = this.#added.size + this.#gone.size;
    if (changes < FEW || changes < length) return;
    this.#sorted = undefined;
    this.#gone.clear();
    this.#added.clear();
  }
}

/** The index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

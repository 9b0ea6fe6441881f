/** One row of the log: a write with its revision. */
export interface LogRow {
  readonly revision: number;
  readonly key: string;
  readonly createRevision: number;
  /** undefined: the write deleted the key. */
  readonly value: Uint8Array | undefined;
  readonly lazy: boolean;
}

/**
 * Leaves out of `rows` (in revision order) the lazy puts that a later put of the same key replaces: they never need to
 * reach the disk. What a deletion follows is kept, because the DELETE event carries the last value.
 */
export function coalesce(rows: readonly LogRow[]): LogRow[] {
  const following = new Map<string, LogRow>();
  const kept: LogRow[] = [];
  for (const row of rows.toReversed()) {
    const next = following.get(row.key);
    following.set(row.key, row);
    if (row.lazy && row.value !== undefined && next?.value !== undefined) continue;
    kept.push(row);
  }
  return kept.reverse();
}

/** The lazy writes that are acknowledged but not on disk yet. */
export class LazyBuffer {
  /** Newest last; more than one row only where a deletion has to keep the value before it. */
  readonly #rows = new Map<string, LogRow[]>();
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of values held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The newest row of `key`, which is newer than any row on disk. */
  newest(key: string): LogRow | undefined {
    return this.#rows.get(key)?.at(-1);
  }

  /** Whether a key starting with `prefix` has a pending row. */
  touches(prefix: string): boolean {
    for (const key of this.#rows.keys()) if (key.startsWith(prefix)) return true;
    return false;
  }

  /** Adds a row with a revision above all others, dropping the one it makes superfluous. */
  add(row: LogRow): void {
    const rows = this.#rows.get(row.key) ?? [];
    const last = rows.at(-1);
    if (last?.value !== undefined && row.value !== undefined) {
      rows.pop();
      this.#count--;
      this.#bytes -= last.value.byteLength;
    }
    rows.push(row);
    this.#rows.set(row.key, rows);
    this.#count++;
    this.#bytes += row.value?.byteLength ?? 0;
  }

  /** All rows in revision order. */
  rows(): LogRow[] {
    return [...this.#rows.values()].flat().sort((a, b) => a.revision - b.revision);
  }

  clear(): void {
    this.#rows.clear();
    this.#count = 0;
    this.#bytes = 0;
  }
}

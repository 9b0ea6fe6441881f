import type { SqlStatement } from './connection.ts';
import type { LogRow } from './lazy-buffer.ts';
import type { WriteOp, WriteOutcome } from './protocol.ts';
import { SQL } from './schema.ts';

/** The newest state of a key; `value` is undefined when it was not fetched or the key is deleted. */
export interface Head {
  readonly revision: number;
  readonly createRevision: number;
  readonly deleted: boolean;
  readonly value: Uint8Array | undefined;
}

export interface DecidedWrite {
  readonly op: WriteOp;
  /** The row the write makes; undefined when it lost. */
  readonly row: LogRow | undefined;
  /** The live state the write found. */
  readonly found: Head | undefined;
}

/**
 * Decides `ops` one after the other, each seeing what those before it did. `heads` has the state of every key that was
 * ever written; winners get the revisions after `revision`.
 */
export function decideWrites(
  ops: readonly WriteOp[],
  values: Uint8Array,
  heads: ReadonlyMap<string, Head>,
  revision: number,
): DecidedWrite[] {
  const state = new Map(heads);
  let next = revision;
  return ops.map((op) => {
    const head = state.get(op.key);
    const found = head?.deleted === true ? undefined : head;
    const wins = op.verb === 'create' ? found === undefined : found !== undefined && found.revision === op.expect;
    if (!wins) return { op, row: undefined, found };
    next++;
    const row: LogRow = {
      revision: next,
      key: op.key,
      createRevision: found?.createRevision ?? next,
      value: op.verb === 'delete' ? undefined : valueIn(op, values),
      lazy: op.lazy,
    };
    state.set(op.key, { ...row, deleted: row.value === undefined });
    return { op, row, found };
  });
}

/** A lazy value is copied: it stays in memory for long and must not keep the whole group's buffer there. */
function valueIn(op: WriteOp, values: Uint8Array): Uint8Array {
  const value = values.subarray(op.offset, op.offset + op.length);
  return op.lazy ? value.slice() : value;
}

/** The revisions whose values the outcomes need and that have to be fetched: what losers found, what was deleted. */
export function missingValues(decided: readonly DecidedWrite[]): number[] {
  return decided.flatMap(({ row, found }) =>
    found !== undefined && found.value === undefined && row?.value === undefined ? [found.revision] : [],
  );
}

/** What to tell the writer. The values returned are copies, free to be handed over to another thread. */
export function outcomeOf({ op, row, found }: DecidedWrite, fetched: ReadonlyMap<number, Uint8Array>): WriteOutcome {
  const before = (): Uint8Array | undefined => found && (found.value ?? fetched.get(found.revision))?.slice();
  if (row !== undefined) {
    const removed = row.value === undefined ? before() : undefined;
    return { ok: true, revision: row.revision, createRevision: row.createRevision, removed };
  }
  if (found === undefined) return { ok: false, current: undefined };
  const { revision: modRevision, createRevision } = found;
  return { ok: false, current: { key: op.key, value: before() ?? new Uint8Array(0), createRevision, modRevision } };
}

/** One insert for all rows: their columns travel as one JSON text and their values as one blob. */
export function insertStatement(rows: readonly LogRow[]): SqlStatement {
  const values = new Uint8Array(rows.reduce((sum, row) => sum + (row.value?.byteLength ?? 0), 0));
  let offset = 0;
  const columns = rows.map((row) => {
    const size = row.value?.byteLength ?? 0;
    if (row.value !== undefined) values.set(row.value, offset);
    offset += size;
    return [row.revision, row.key, row.createRevision, row.value === undefined ? 1 : 0, offset - size + 1, size];
  });
  return { sql: SQL.insert, args: [JSON.stringify(columns), values] };
}

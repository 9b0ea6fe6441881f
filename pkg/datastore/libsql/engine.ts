import { OperatorError } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { CompactedError, DatastoreError } from '../datastore.ts';
import { compareKeys, prefixEnd } from '../keys.ts';
import { blobOf, isDamage, LogConnection, openingError, type SqlStatement } from './connection.ts';
import { createDatabaseFile, inspectDatabaseFile, keepDatabaseFiles } from './database-file.ts';
import { coalesce, LazyBuffer, type LogRow } from './lazy-buffer.ts';
import type { Calls, LogStats, Opened, StoredEvent, StoredValue, WriteOp } from './protocol.ts';
import { ABOVE_ALL_KEYS, CREATE_SETTINGS, CREATE_STATEMENTS, SQL } from './schema.ts';
import { decideWrites, type Head, insertStatement, missingValues, outcomeOf } from './write-group.ts';

/** Revisions reserved ahead for lazy writes; one in half as many lazy writes has to wait for the disk. */
const CEILING_BLOCK = 1000;
/** Bounds of what a crash may lose and what memory lazy writes may take; beyond them lazy writes are flushed. */
const MAX_LAZY_ROWS = 1000;
const MAX_LAZY_BYTES = 4 * 1024 * 1024;
/** Values in one piece of a read. */
const MAX_PIECE_BYTES = 4 * 1024 * 1024;
/** Rows one step of compaction looks at. */
const COMPACT_ROWS = 500;
/** Free pages are given back to the file system when they are more than half of the file and more than this many. */
const VACUUM_MIN_PAGES = 1024;
const VACUUM_STEP_PAGES = 256;

/**
 * The log on one libSQL connection. libSQL works on the calling thread and blocks it, so this belongs in a worker. Invariants: revisions on disk and in the lazy buffer are
 * <= `#revision`; those of lazy writes are <= `#ceiling`; rows on disk are never changed, only compacted.
 */
export class LogEngine {
  readonly #db: LogConnection;
  readonly #lazy = new LazyBuffer();
  #revision = 0;
  #floor = 0;
  #ceiling = 0;
  /** See schema.ts; `saved`: on disk. What is not saved is found again when the file is opened again. */
  #lost: { after: number; before: number; saved: boolean }[] = [];

  private constructor(db: LogConnection) {
    this.#db = db;
  }

  /**
   * Opens the database, making it when it is missing. Throws OperatorError when the file cannot be used; then
   * `restoreDatabaseFiles` has to be called when this thread has ended.
   */
  static open(path: string): LogEngine {
    try {
      if (inspectDatabaseFile(path) === 'missing') createDatabaseFile(path, createSchema);
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(`cannot make the datastore ${path}: ${errorText(error)}`);
    }
    const db = new LogConnection(path);
    try {
      db.prepare();
      const engine = new LogEngine(db);
      engine.#load();
      return engine;
    } catch (error) {
      if (isDamage(error)) keepDatabaseFiles(path);
      db.close();
      throw openingError(path, error);
    }
  }

  get opened(): Opened {
    return { revision: this.#revision, floor: this.#floor };
  }

  #load(): void {
    for (const row of this.#db.rows(SQL.meta)) {
      if (row[0] === 'floor') this.#floor = Number(row[1]);
      if (row[0] === 'ceiling') this.#ceiling = Number(row[1]);
    }
    for (const row of this.#db.rows(SQL.lost)) {
      this.#lost.push({ after: Number(row[0]), before: Number(row[1]), saved: true });
    }
    const newest = Number(this.#db.scalar(SQL.newest));
    this.#revision = Math.max(newest, this.#floor, ...this.#lost.map((gap) => gap.before));
    if (this.#ceiling <= this.#revision) return;
    // There was no clean close.
    this.#lost.push({ after: this.#revision, before: this.#ceiling + 1, saved: false });
    this.#revision = this.#ceiling + 1;
  }

  /** Decides a group of writes in order and commits those that won, with everything pending, in one transaction. */
  write(ops: readonly WriteOp[], values: Uint8Array): Calls['write']['result'] {
    const heads = this.#heads(ops.map((op) => op.key));
    const decided = decideWrites(ops, values, heads, this.#revision);
    const fetched = this.#db.values(missingValues(decided));
    const outcomes = decided.map((one) => outcomeOf(one, fetched));
    this.#accept(decided.flatMap(({ row }) => (row === undefined ? [] : [row])));
    return { outcomes, revision: this.#revision, pendingLazy: this.#lazy.count };
  }

  /** The newest state of each key that has one. */
  #heads(keys: readonly string[]): Map<string, Head> {
    const heads = new Map<string, Head>();
    const onDisk = new Set<string>();
    for (const key of keys) {
      const pending = this.#lazy.newest(key);
      if (pending === undefined) onDisk.add(key);
      else heads.set(key, { ...pending, deleted: pending.value === undefined });
    }
    if (onDisk.size === 0) return heads;
    const found = this.#db.json<[string, number, number, number]>(SQL.heads, [JSON.stringify([...onDisk])]);
    for (const [key, revision, createRevision, deleted] of found) {
      heads.set(key, { revision, createRevision, deleted: deleted === 1, value: undefined });
    }
    return heads;
  }

  /** Takes decided rows over: into memory when all are lazy and there is room, else to disk. */
  #accept(rows: readonly LogRow[]): void {
    const revision = rows.at(-1)?.revision;
    if (revision === undefined) return;
    const bytes = rows.reduce((sum, row) => sum + (row.value?.byteLength ?? 0), this.#lazy.bytes);
    const inMemory =
      rows.every((row) => row.lazy) &&
      revision <= this.#ceiling &&
      this.#lazy.count + rows.length <= MAX_LAZY_ROWS &&
      bytes <= MAX_LAZY_BYTES;
    if (inMemory) for (const row of rows) this.#lazy.add(row);
    else this.#commit(coalesce([...this.#lazy.rows(), ...rows]), this.#ceilingFor(revision));
    this.#revision = revision;
  }

  /** Writes `rows`, which include everything pending. */
  #commit(rows: readonly LogRow[], ceiling: number): void {
    const statements: SqlStatement[] = [];
    if (rows.length > 0) statements.push(insertStatement(rows));
    if (ceiling !== this.#ceiling) statements.push(setMeta('ceiling', ceiling));
    for (const { after, before, saved } of this.#lost) {
      if (!saved) statements.push({ sql: SQL.addLost, args: [after, before] });
    }
    if (statements.length === 0) return;
    this.#db.transaction(statements);
    this.#ceiling = ceiling;
    for (const gap of this.#lost) gap.saved = true;
    this.#lazy.clear();
  }

  /** The ceiling is raised when half of its block is used, together with a commit that happens anyway. */
  #ceilingFor(revision: number): number {
    return this.#ceiling - revision < CEILING_BLOCK / 2 ? revision + CEILING_BLOCK : this.#ceiling;
  }

  get(key: string): StoredValue | undefined {
    const pending = this.#lazy.newest(key);
    if (pending !== undefined) {
      const { value, createRevision, revision } = pending;
      return value && { key, value: value.slice(), createRevision, modRevision: revision };
    }
    const row = this.#db.rows(SQL.get, [key])[0];
    if (row === undefined || row[2] === 1) return undefined;
    return { key, modRevision: Number(row[0]), createRevision: Number(row[1]), value: blobOf(row[3]) };
  }

  list(args: Calls['list']['args']): Calls['list']['result'] {
    const revision = args.revision ?? this.#revision;
    this.#checkRevision(revision);
    this.#settle(args.prefix);
    const range = [lowerBound(args.prefix, args.after), upperBound(args.prefix), revision];
    const found = this.#db.json<[string, number, number, number]>(SQL.list, [...range, args.limit + 1]);
    const piece = takePiece(found.slice(0, args.limit), ([, , , size]) => size);
    const more = piece.length < found.length;
    const count = more && args.count ? Number(this.#db.scalar(SQL.count, range)) : piece.length;
    const values = this.#db.values(piece.map(([, modRevision]) => modRevision));
    const kvs = piece.map(([key, modRevision, createRevision]) => ({
      key,
      value: values.get(modRevision) ?? new Uint8Array(0),
      createRevision,
      modRevision,
    }));
    return { kvs, revision, more, count };
  }

  since(prefix: string, revision: number, limit: number): Calls['since']['result'] {
    this.#checkRevision(revision);
    this.#settle(prefix);
    const args = [prefix, upperBound(prefix), revision, limit + 1];
    const found = this.#db.json<[string, number, number, number, number, number]>(SQL.since, args);
    const piece = takePiece(found.slice(0, limit), ([, , , , , size]) => size);
    const values = this.#db.values(piece.map(([, , , , valueRevision]) => valueRevision));
    const events = piece.map(
      ([key, modRevision, createRevision, deleted, valueRevision]): StoredEvent => ({
        key,
        value: values.get(valueRevision) ?? new Uint8Array(0),
        createRevision,
        modRevision,
        deleted: deleted === 1,
      }),
    );
    return { events, more: piece.length < found.length };
  }

  /** Makes every lazy write durable. */
  flush(): void {
    if (this.#lazy.count > 0) this.#commit(this.#lazy.rows(), this.#ceilingFor(this.#revision));
  }

  /** Reads of a range see the disk only, so what is pending in it goes there first; such reads are rare. */
  #settle(prefix: string): void {
    if (this.#lazy.touches(prefix)) this.flush();
  }

  /**
   * Moves the floor towards `to` by a bounded step: superseded values and deletions up to the floor go, and then free
   * pages are given back, as bounded. Nothing is written when there is nothing to do.
   */
  compact(to: number): Calls['compact']['result'] {
    const target = Math.min(to, this.#revision);
    if (target > this.#floor) {
      // A row that came to disk below the floor would never be looked at again.
      this.flush();
      const last = this.#db.scalar(SQL.nextRows, [this.#floor, target, COMPACT_ROWS - 1]);
      const floor = last === undefined ? target : Number(last);
      this.#db.transaction([
        { sql: SQL.dropReplaced, args: [this.#floor, floor] },
        { sql: SQL.dropDeletions, args: [this.#floor, floor] },
        setMeta('floor', floor),
        { sql: SQL.dropLost, args: [floor] },
      ]);
      this.#floor = floor;
      this.#lost = this.#lost.filter((gap) => gap.before > floor);
      if (floor < target) return { floor, done: false };
    }
    return { floor: this.#floor, done: !this.#vacuum() };
  }

  /** Gives back some free pages when they are most of the file; whether there may be more to give. */
  #vacuum(): boolean {
    const { pages, freePages } = this.#db.pages();
    if (freePages < VACUUM_MIN_PAGES || freePages * 2 < pages) return false;
    this.#db.vacuum(VACUUM_STEP_PAGES);
    return this.#db.pages().freePages < freePages;
  }

  stats(): LogStats {
    return {
      revision: this.#revision,
      floor: this.#floor,
      commits: this.#db.commits,
      pendingLazy: this.#lazy.count,
      ...this.#db.pages(),
    };
  }

  /** Writes what is pending and closes the file; the next start goes on with the next revision. */
  close(): void {
    try {
      this.#commit(this.#lazy.rows(), this.#revision);
    } finally {
      this.#db.close();
    }
  }

  #checkRevision(revision: number): void {
    if (revision > this.#revision) {
      const message = `revision ${revision} is in the future; the newest is ${this.#revision}`;
      throw new DatastoreError('future-revision', message);
    }
    if (revision < this.#floor) throw new CompactedError(revision, this.#floor);
    const gap = this.#lost.find(({ after, before }) => revision > after && revision < before);
    if (gap !== undefined) throw new CompactedError(revision, gap.before);
  }
}

function createSchema(path: string): void {
  const db = new LogConnection(path);
  try {
    db.define(CREATE_SETTINGS, CREATE_STATEMENTS);
  } finally {
    db.close();
  }
}

const setMeta = (name: string, value: number): SqlStatement => ({ sql: SQL.setMeta, args: [name, value] });

/** The leading `items` whose sizes stay below MAX_PIECE_BYTES together, but at least one. */
function takePiece<Item>(items: readonly Item[], sizeOf: (item: Item) => number | null): Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += sizeOf(item) ?? 0;
    return bytes > MAX_PIECE_BYTES && index > 0;
  });
  return end === -1 ? [...items] : items.slice(0, end);
}

/** The least possible key with `prefix` and above `after`: keys have no NUL, so the next one after a key is it + NUL. */
function lowerBound(prefix: string, after: string | undefined): string {
  return after === undefined || compareKeys(after, prefix) < 0 ? prefix : `${after}\0`;
}

function upperBound(prefix: string): string | Uint8Array {
  return prefixEnd(prefix) ?? ABOVE_ALL_KEYS;
}

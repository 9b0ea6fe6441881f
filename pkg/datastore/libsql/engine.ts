import { pathToFileURL } from 'node:url';
import { type Client, createClient, type InStatement, LibsqlError } from '@libsql/client/sqlite3';
import { OperatorError } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { CompactedError, DatastoreError } from '../datastore.ts';
import { prefixEnd } from '../keys.ts';
import { createDatabaseFile, inspectDatabaseFile, keepDatabaseFiles, REMEDY } from './database-file.ts';
import { coalesce, LazyBuffer, type LogRow } from './lazy-buffer.ts';
import type { Calls, LogStats, Opened, StoredEvent, StoredValue, WriteOp, WriteOutcome } from './protocol.ts';
import { ABOVE_ALL_KEYS, CREATE_STATEMENTS, LOCK_STATEMENTS, SETTING_STATEMENTS, SQL } from './schema.ts';

/** Revisions reserved ahead for lazy writes; one in this many lazy writes has to wait for the disk. */
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
/** A file up to this size is checked page by page when it is opened (about 1 ms per MB). */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;

/** The newest state of a key; `value` is fetched only when it is needed. */
interface Head {
  readonly revision: number;
  readonly createRevision: number;
  readonly deleted: boolean;
  readonly value: Uint8Array | undefined;
}

/**
 * The log on one libSQL connection. It is not reentrant: the caller runs one method at a time. libSQL works on the
 * calling thread and blocks it, so this belongs in a worker. Invariants: revisions on disk and in the lazy buffer are
 * <= `#revision`; `#revision` <= max(`#ceiling`, newest row on disk); rows on disk are never changed, only compacted.
 */
export class LogEngine {
  readonly #client: Client;
  readonly #path: string;
  readonly #lazy = new LazyBuffer();
  #revision = 0;
  #floor = 0;
  #ceiling = 0;
  /** After a crash: revisions in (from, to) may have been given to lazy writes that are lost. */
  #lost = { from: 0, to: 0 };
  #commits = 0;

  private constructor(client: Client, path: string) {
    this.#client = client;
    this.#path = path;
  }

  /** Opens the database, making it when it is missing. Throws OperatorError when the file cannot be used. */
  static async open(path: string): Promise<LogEngine> {
    try {
      if (inspectDatabaseFile(path) === 'missing') await createDatabaseFile(path, createSchema);
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(`cannot make the datastore ${path}: ${errorText(error)}`);
    }
    const client = connect(path);
    const engine = new LogEngine(client, path);
    try {
      await engine.#load();
      return engine;
    } catch (error) {
      if (isDamage(error)) keepDatabaseFiles(path);
      client.close();
      throw openingError(path, error);
    }
  }

  get opened(): Opened {
    return { revision: this.#revision, floor: this.#floor };
  }

  async #load(): Promise<void> {
    for (const sql of [...LOCK_STATEMENTS, ...SETTING_STATEMENTS]) await this.#client.execute(sql);
    const pages = await this.#pages();
    if (pages.pages * pages.pageBytes <= FULL_CHECK_BYTES) {
      const problem = await this.#scalar('PRAGMA quick_check(1)');
      if (problem !== 'ok') throw new LibsqlError(String(problem), 'SQLITE_CORRUPT');
    }
    for (const row of (await this.#client.execute(SQL.meta)).rows) {
      if (row[0] === 'floor') this.#floor = Number(row[1]);
      if (row[0] === 'ceiling') this.#ceiling = Number(row[1]);
    }
    const newest = Math.max(Number(await this.#scalar(SQL.newest)), this.#floor);
    this.#revision = Math.max(newest, this.#ceiling);
    this.#lost = { from: newest, to: this.#revision };
  }

  /** Decides a group of writes in order and commits those that won, with everything pending, in one transaction. */
  async write(ops: readonly WriteOp[], values: Uint8Array): Promise<Calls['write']['result']> {
    const heads = await this.#heads(ops.map((op) => op.key));
    const rows: LogRow[] = [];
    /** Per write: the row it makes, or nothing; and the state it found. */
    const decided: { row: LogRow | undefined; found: Head | undefined }[] = [];
    let revision = this.#revision;
    for (const op of ops) {
      const head = heads.get(op.key);
      const found = head?.deleted === true ? undefined : head;
      const wins = op.verb === 'create' ? found === undefined : found !== undefined && found.revision === op.expect;
      if (!wins) {
        decided.push({ row: undefined, found });
        continue;
      }
      revision++;
      const row: LogRow = {
        revision,
        key: op.key,
        createRevision: found?.createRevision ?? revision,
        value: op.verb === 'delete' ? undefined : valueIn(op, values),
        lazy: op.lazy,
      };
      rows.push(row);
      decided.push({ row, found });
      heads.set(op.key, { ...row, deleted: row.value === undefined });
    }
    const stored = await this.#values(
      decided.flatMap(({ row, found }) =>
        found !== undefined && found.value === undefined && row?.value === undefined ? [found.revision] : [],
      ),
    );
    const outcomes = decided.map(({ row, found }, index): WriteOutcome => {
      const key = ops[index]?.key ?? '';
      const before = found && (found.value ?? stored.get(found.revision) ?? EMPTY);
      if (row !== undefined) {
        const removed = row.value === undefined ? before?.slice() : undefined;
        return { ok: true, revision: row.revision, createRevision: row.createRevision, removed };
      }
      const current = found &&
        before && { key, value: before.slice(), createRevision: found.createRevision, modRevision: found.revision };
      return { ok: false, current };
    });
    await this.#accept(rows, revision);
    return { outcomes, revision: this.#revision, pendingLazy: this.#lazy.count };
  }

  /** Takes decided rows over: into memory when all are lazy and there is room, else to disk. */
  async #accept(rows: readonly LogRow[], revision: number): Promise<void> {
    const bytes = rows.reduce((sum, row) => sum + (row.value?.byteLength ?? 0), this.#lazy.bytes);
    const inMemory =
      rows.every((row) => row.lazy) &&
      revision <= this.#ceiling &&
      this.#lazy.count + rows.length <= MAX_LAZY_ROWS &&
      bytes <= MAX_LAZY_BYTES;
    if (inMemory) {
      for (const row of rows) this.#lazy.add(row);
    } else if (rows.length > 0) {
      await this.#commit(coalesce([...this.#lazy.rows(), ...rows]), revision);
    }
    this.#revision = revision;
  }

  async #commit(rows: readonly LogRow[], revision: number, ceiling = this.#ceilingFor(revision)): Promise<void> {
    const statements: InStatement[] = [];
    if (rows.length > 0) statements.push(insertStatement(rows));
    if (ceiling !== this.#ceiling) statements.push({ sql: SQL.setMeta, args: ['ceiling', ceiling] });
    if (statements.length === 0) return;
    await this.#transaction(statements);
    this.#ceiling = ceiling;
    this.#lazy.clear();
  }

  /** The ceiling is raised when half of its block is used, together with a commit that happens anyway. */
  #ceilingFor(revision: number): number {
    return this.#ceiling - revision < CEILING_BLOCK / 2 ? revision + CEILING_BLOCK : this.#ceiling;
  }

  async #transaction(statements: InStatement[]): Promise<void> {
    try {
      await this.#client.batch(statements, 'write');
    } catch (error) {
      throw writeError(this.#path, error);
    }
    this.#commits++;
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const pending = this.#lazy.newest(key);
    if (pending !== undefined) {
      const { value, createRevision, revision } = pending;
      return value && { key, value: value.slice(), createRevision, modRevision: revision };
    }
    const row = (await this.#read(SQL.get, [key])).rows[0];
    if (row === undefined || row[2] === 1) return undefined;
    return { key, modRevision: Number(row[0]), createRevision: Number(row[1]), value: bytesOf(row[3]) };
  }

  async list(args: Calls['list']['args']): Promise<Calls['list']['result']> {
    const revision = args.revision ?? this.#revision;
    this.#checkRevision(revision);
    await this.#settle(args.prefix);
    // Keys have no NUL, so the next possible key after `after` is `after` + NUL.
    const range = [args.after === undefined ? args.prefix : `${args.after}\0`, upperBound(args.prefix), revision];
    const found = await this.#json<[string, number, number, number]>(SQL.list, [...range, args.limit + 1]);
    const piece = takePiece(found.slice(0, args.limit), ([, , , size]) => size);
    const more = piece.length < found.length;
    const count = more && args.count ? Number(await this.#scalar(SQL.count, range)) : piece.length;
    const values = await this.#values(piece.map(([, modRevision]) => modRevision));
    const kvs = piece.map(([key, modRevision, createRevision]) => ({
      key,
      value: values.get(modRevision) ?? EMPTY,
      createRevision,
      modRevision,
    }));
    return { kvs, revision, more, count };
  }

  async since(prefix: string, revision: number, limit: number): Promise<Calls['since']['result']> {
    this.#checkRevision(revision);
    await this.#settle(prefix);
    const args = [prefix, upperBound(prefix), revision, limit + 1];
    const found = await this.#json<[string, number, number, number, number, number]>(SQL.since, args);
    const piece = takePiece(found.slice(0, limit), ([, , , , , size]) => size);
    const values = await this.#values(piece.map(([, , , , valueRevision]) => valueRevision));
    const events = piece.map(
      ([key, modRevision, createRevision, deleted, valueRevision]): StoredEvent => ({
        key,
        value: values.get(valueRevision) ?? EMPTY,
        createRevision,
        modRevision,
        deleted: deleted === 1,
      }),
    );
    return { events, more: piece.length < found.length };
  }

  /** Makes every lazy write durable. */
  async flush(): Promise<void> {
    if (this.#lazy.count > 0) await this.#commit(this.#lazy.rows(), this.#revision);
  }

  /** Reads of a range see the disk only, so what is pending in it goes there first; such reads are rare. */
  async #settle(prefix: string): Promise<void> {
    if (this.#lazy.touches(prefix)) await this.flush();
  }

  /**
   * Moves the floor towards `to` by a bounded step: superseded values and deletions up to the floor go, and then free
   * pages are given back, as bounded. Nothing is written when there is nothing to do.
   */
  async compact(to: number): Promise<Calls['compact']['result']> {
    const target = Math.min(to, this.#revision);
    if (target > this.#floor) {
      await this.flush();
      const last = await this.#scalar(SQL.nextRows, [this.#floor, target, COMPACT_ROWS - 1]);
      const floor = last === undefined ? target : Number(last);
      await this.#transaction([
        { sql: SQL.dropReplaced, args: [this.#floor, floor] },
        { sql: SQL.dropDeletions, args: [this.#floor, floor] },
        { sql: SQL.setMeta, args: ['floor', floor] },
      ]);
      this.#floor = floor;
      if (floor < target) return { floor, done: false };
    }
    return { floor: this.#floor, done: !(await this.#vacuum()) };
  }

  /** Gives back some free pages when they are most of the file; whether there may be more to give. */
  async #vacuum(): Promise<boolean> {
    const { pages, freePages } = await this.#pages();
    if (freePages < VACUUM_MIN_PAGES || freePages * 2 < pages) return false;
    await this.#transaction([`PRAGMA incremental_vacuum(${VACUUM_STEP_PAGES})`]);
    return true;
  }

  async stats(): Promise<LogStats> {
    const pages = await this.#pages();
    return {
      revision: this.#revision,
      floor: this.#floor,
      commits: this.#commits,
      pendingLazy: this.#lazy.count,
      ...pages,
    };
  }

  /** Writes what is pending and closes the file; the next start goes on with the next revision. */
  async close(): Promise<void> {
    try {
      await this.#commit(this.#lazy.rows(), this.#revision, this.#revision);
    } finally {
      this.#client.close();
    }
  }

  #checkRevision(revision: number): void {
    if (revision > this.#revision) {
      const message = `revision ${revision} is in the future; the newest is ${this.#revision}`;
      throw new DatastoreError('future-revision', message);
    }
    if (revision < this.#floor) throw new CompactedError(revision, this.#floor);
    if (revision > this.#lost.from && revision < this.#lost.to) throw new CompactedError(revision, this.#lost.to);
  }

  /** The newest state of each key that has one. */
  async #heads(keys: readonly string[]): Promise<Map<string, Head>> {
    const heads = new Map<string, Head>();
    const onDisk = new Set<string>();
    for (const key of keys) {
      const pending = this.#lazy.newest(key);
      if (pending === undefined) onDisk.add(key);
      else heads.set(key, { ...pending, deleted: pending.value === undefined });
    }
    if (onDisk.size === 0) return heads;
    const found = await this.#json<[string, number, number, number]>(SQL.heads, [JSON.stringify([...onDisk])]);
    for (const [key, revision, createRevision, deleted] of found) {
      heads.set(key, { revision, createRevision, deleted: deleted === 1, value: undefined });
    }
    return heads;
  }

  /** The values of rows on disk by revision. */
  async #values(revisions: readonly number[]): Promise<Map<number, Uint8Array>> {
    const values = new Map<number, Uint8Array>();
    if (revisions.length === 0) return values;
    for (const row of (await this.#read(SQL.values, [JSON.stringify(revisions)])).rows) {
      values.set(Number(row[0]), bytesOf(row[1]));
    }
    return values;
  }

  async #pages(): Promise<{ pageBytes: number; pages: number; freePages: number }> {
    return {
      pageBytes: Number(await this.#scalar('PRAGMA page_size')),
      pages: Number(await this.#scalar('PRAGMA page_count')),
      freePages: Number(await this.#scalar('PRAGMA freelist_count')),
    };
  }

  async #json<Row>(sql: string, args: SqlArgs): Promise<Row[]> {
    const text = await this.#scalar(sql, args);
    return JSON.parse(String(text)) as Row[];
  }

  async #scalar(sql: string, args: SqlArgs = []): Promise<unknown> {
    return (await this.#read(sql, args)).rows[0]?.[0];
  }

  async #read(sql: string, args: SqlArgs): ReturnType<Client['execute']> {
    try {
      return await this.#client.execute({ sql, args: [...args] });
    } catch (error) {
      throw new DatastoreError('failed', `cannot read the datastore ${this.#path}`, { cause: error });
    }
  }
}

type SqlArgs = readonly (string | number | Uint8Array)[];

const EMPTY = new Uint8Array(0);

function connect(path: string): Client {
  // One connection only: settings and the lock belong to the connection.
  return createClient({ url: pathToFileURL(path).href, concurrency: 1 });
}

async function createSchema(path: string): Promise<void> {
  const client = connect(path);
  try {
    for (const sql of CREATE_STATEMENTS) await client.execute(sql);
  } finally {
    client.close();
  }
}

/** One insert for all rows: their columns travel as one JSON text and their values as one blob. */
function insertStatement(rows: readonly LogRow[]): InStatement {
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

/** The leading `items` whose sizes stay below MAX_PIECE_BYTES together, but at least one. */
function takePiece<Item>(items: readonly Item[], sizeOf: (item: Item) => number | null): Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += sizeOf(item) ?? 0;
    return bytes > MAX_PIECE_BYTES && index > 0;
  });
  return end === -1 ? [...items] : items.slice(0, end);
}

/** A lazy value is copied: it stays in memory for long and must not keep the whole group's buffer there. */
function valueIn(op: WriteOp, values: Uint8Array): Uint8Array {
  const value = values.subarray(op.offset, op.offset + op.length);
  return op.lazy ? value.slice() : value;
}

function upperBound(prefix: string): string | Uint8Array {
  return prefixEnd(prefix) ?? ABOVE_ALL_KEYS;
}

/** libSQL gives blobs as ArrayBuffer; an empty one may come as NULL. */
function bytesOf(value: unknown): Uint8Array {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : EMPTY;
}

/** Whether nothing was written and writing may work again later: no space, quota or a file size limit. */
function isWriteRefused(error: LibsqlError): boolean {
  return error.code === 'SQLITE_FULL' || error.extendedCode === 'SQLITE_IOERR_WRITE';
}

function writeError(path: string, error: unknown): DatastoreError {
  const cause = { cause: error };
  if (error instanceof LibsqlError && isWriteRefused(error)) {
    return new DatastoreError('disk-full', `no space to write the datastore ${path}: free some disk space`, cause);
  }
  return new DatastoreError('failed', `cannot write the datastore ${path}`, cause);
}

/** The error of libSQL in a chain of causes. */
function libsqlError(error: unknown): LibsqlError | undefined {
  if (error instanceof LibsqlError) return error;
  return error instanceof Error && error.cause !== undefined ? libsqlError(error.cause) : undefined;
}

function isDamage(error: unknown): boolean {
  const code = libsqlError(error)?.code;
  return code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB' || code === 'SQLITE_ERROR';
}

function openingError(path: string, error: unknown): OperatorError {
  if (libsqlError(error)?.code === 'SQLITE_BUSY') {
    return new OperatorError(`the datastore ${path} is in use by another kedge process: stop that one first`);
  }
  if (isDamage(error)) {
    const detail = libsqlError(error)?.message;
    return new OperatorError(`the datastore ${path} is corrupted (${detail}); it was left as it is. ${REMEDY}`);
  }
  return new OperatorError(`cannot open the datastore ${path}: ${errorText(error)}`);
}

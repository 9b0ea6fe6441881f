import { ConnectionPool } from '@libsql/client/sqlite3';
import { OperatorError } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { DatastoreError } from '../datastore.ts';
import { REMEDY } from './database-file.ts';
import { LOCK_STATEMENTS, SETTING_STATEMENTS, SQL } from './schema.ts';

type SqlArgs = readonly (string | number | Uint8Array)[];

/** A statement of a transaction. */
export interface SqlStatement {
  readonly sql: string;
  readonly args: SqlArgs;
}

type Database = ReturnType<ConnectionPool['acquireSync']>;
type Prepared = ReturnType<Database['prepare']>;

/** A file up to this size is checked page by page when it is opened (about 1 ms per MB). */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;

/**
 * The one connection to a database file. Settings and the lock belong to a connection, so there is never a second one.
 * It is taken out of libSQL's client for good: the client itself prepares every statement anew, which takes several
 * times as long as a small commit.
 */
export class LogConnection {
  /** Transactions committed; each costs one fsync. */
  commits = 0;
  readonly #pool: ConnectionPool;
  readonly #db: Database;
  readonly #path: string;
  /** Every text there is comes from schema.ts, so they are few. */
  readonly #prepared = new Map<string, Prepared>();

  /** Throws what libSQL throws when the file cannot be opened. */
  constructor(path: string) {
    this.#pool = new ConnectionPool(path, {}, 1);
    this.#db = this.#pool.acquireSync();
    this.#path = path;
  }

  /** Makes a new database: `settings` one by one, then `definitions` in one transaction. */
  define(settings: readonly string[], definitions: readonly string[]): void {
    for (const sql of settings) this.#query(sql);
    this.#transact(definitions.map((sql) => ({ sql, args: [] })));
  }

  /** Locks the file for this process, applies the settings and checks the file; throws on damage. */
  prepare(): void {
    for (const sql of [...LOCK_STATEMENTS, ...SETTING_STATEMENTS]) this.#query(sql);
    const { pageBytes, pages } = this.pages();
    if (pages * pageBytes > FULL_CHECK_BYTES) return;
    const problem = this.scalar('PRAGMA quick_check(1)');
    if (problem !== 'ok') throw new DamageError(String(problem));
  }

  /** Runs `statements` as one transaction, durable when this returns. Throws DatastoreError `disk-full` or `failed`. */
  transaction(statements: readonly SqlStatement[]): void {
    try {
      this.#transact(statements);
    } catch (error) {
      throw writeError(this.#path, error);
    }
    this.commits++;
  }

  #transact(statements: readonly SqlStatement[]): void {
    const [only] = statements;
    // A statement alone is a transaction of its own.
    if (only !== undefined && statements.length === 1) {
      this.#query(only.sql, only.args);
      return;
    }
    this.#query('BEGIN IMMEDIATE');
    try {
      for (const { sql, args } of statements) this.#query(sql, args);
      this.#query('COMMIT');
    } catch (error) {
      // Some errors have ended the transaction already.
      if (this.#db.inTransaction) this.#query('ROLLBACK');
      throw error;
    }
  }

  /** Gives at most `count` free pages back to the file system. */
  vacuum(count: number): void {
    try {
      // Run as a statement it would stop after the first page and stay open.
      this.#db.exec(`PRAGMA incremental_vacuum(${count})`);
    } catch (error) {
      throw writeError(this.#path, error);
    }
    this.commits++;
  }

  /** The rows of a query; throws DatastoreError `failed`. */
  rows(sql: string, args: SqlArgs = []): readonly (readonly unknown[])[] {
    try {
      return this.#query(sql, args);
    } catch (error) {
      throw new DatastoreError('failed', `cannot read the datastore ${this.#path}`, { cause: error });
    }
  }

  /** The first column of the first row. */
  scalar(sql: string, args: SqlArgs = []): unknown {
    return this.rows(sql, args)[0]?.[0];
  }

  /** The rows of a query that gives them as one JSON array: much cheaper than as rows. */
  json<Row>(sql: string, args: SqlArgs): Row[] {
    return JSON.parse(String(this.scalar(sql, args))) as Row[];
  }

  /** The values of rows of the log by revision. */
  values(revisions: readonly number[]): Map<number, Uint8Array> {
    const values = new Map<number, Uint8Array>();
    if (revisions.length === 0) return values;
    for (const row of this.rows(SQL.values, [JSON.stringify(revisions)])) {
      values.set(Number(row[0]), blobOf(row[1]));
    }
    return values;
  }

  pages(): { pageBytes: number; pages: number; freePages: number } {
    return {
      pageBytes: Number(this.scalar('PRAGMA page_size')),
      pages: Number(this.scalar('PRAGMA page_count')),
      freePages: Number(this.scalar('PRAGMA freelist_count')),
    };
  }

  /**
   * Runs a statement to its end and gives its rows. Only by `all` and `run`: a statement that was run by `all` gives
   * wrong rows by `get` later, and one that was left in the middle keeps the write-ahead log from being emptied.
   */
  #query(sql: string, args: SqlArgs = []): readonly (readonly unknown[])[] {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      if (statement.reader) statement.raw();
      this.#prepared.set(sql, statement);
    }
    // Arguments in an array of their own: libSQL would flatten what is in several.
    if (statement.reader) return statement.all(args) as unknown[][];
    statement.run(args);
    return [];
  }

  /** libSQL keeps the files open until its statements are garbage collected or the thread ends. */
  close(): void {
    this.#prepared.clear();
    this.#pool.close();
  }
}

/** libSQL gives blobs as Buffers with memory of their own; an empty one may come as NULL. */
export function blobOf(value: unknown): Uint8Array {
  if (!Buffer.isBuffer(value)) return new Uint8Array(0);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** The file can be read, but what is in it makes no sense. */
class DamageError extends Error {
  override readonly name = 'DamageError';
  readonly code = 'SQLITE_CORRUPT';
}

/** An error of libSQL: `code` is SQLite's name of it, an extended one (`SQLITE_IOERR_WRITE`) if there is one. */
type SqliteError = Error & { readonly code: string };

const isSqliteError = (error: unknown): error is SqliteError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('SQLITE_');

/** Whether the error is of that kind or of a special case of it. */
const isKind = ({ code }: SqliteError, kind: string): boolean => code === kind || code.startsWith(`${kind}_`);

/** Whether nothing was written and writing may work again later: no space, quota or a file size limit. */
function isWriteRefused(error: SqliteError): boolean {
  return isKind(error, 'SQLITE_FULL') || error.code === 'SQLITE_IOERR_WRITE';
}

function writeError(path: string, error: unknown): DatastoreError {
  const cause = { cause: error };
  if (isSqliteError(error) && isWriteRefused(error)) {
    return new DatastoreError('disk-full', `no space to write the datastore ${path}: free some disk space`, cause);
  }
  return new DatastoreError('failed', `cannot write the datastore ${path}`, cause);
}

/** The error of libSQL in a chain of causes. */
function sqliteError(error: unknown): SqliteError | undefined {
  if (isSqliteError(error)) return error;
  return error instanceof Error && error.cause !== undefined ? sqliteError(error.cause) : undefined;
}

const DAMAGE = ['SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_ERROR'];

/** Whether `error`, thrown while opening, says that the content of the file is bad. */
export function isDamage(error: unknown): boolean {
  const cause = sqliteError(error);
  return cause !== undefined && DAMAGE.some((kind) => isKind(cause, kind));
}

/** What to tell the operator about an error thrown while opening. */
export function openingError(path: string, error: unknown): OperatorError {
  const cause = sqliteError(error);
  if (cause !== undefined && isKind(cause, 'SQLITE_BUSY')) {
    return new OperatorError(`the datastore ${path} is in use by another kedge process: stop that one first`);
  }
  if (isDamage(error)) {
    const detail = cause?.message.replace(/\s+/g, ' ');
    return new OperatorError(`the datastore ${path} is corrupted (${detail}); it was left as it is. ${REMEDY}`);
  }
  return new OperatorError(`cannot open the datastore ${path}: ${errorText(error)}`);
}

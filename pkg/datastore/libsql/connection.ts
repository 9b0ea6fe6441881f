import { pathToFileURL } from 'node:url';
import { type Client, createClient, type InStatement, LibsqlError } from '@libsql/client/sqlite3';
import { OperatorError } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { DatastoreError } from '../datastore.ts';
import { REMEDY } from './database-file.ts';
import { LOCK_STATEMENTS, SETTING_STATEMENTS, SQL } from './schema.ts';

type SqlArgs = readonly (string | number | Uint8Array)[];

/** A file up to this size is checked page by page when it is opened (about 1 ms per MB). */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;

/**
 * The one connection to a database file. Settings and the lock belong to a connection, so there is never a second one:
 * `concurrency` is 1, and only `execute` and `batch` are used, because `transaction` would take the connection away.
 */
export class LogConnection {
  /** Transactions committed; each costs one fsync. */
  commits = 0;
  readonly #client: Client;
  readonly #path: string;

  constructor(path: string) {
    this.#client = createClient({ url: pathToFileURL(path).href, concurrency: 1 });
    this.#path = path;
  }

  /** Makes a new database: `settings` one by one, then `definitions` in one transaction. */
  async define(settings: readonly string[], definitions: readonly string[]): Promise<void> {
    for (const sql of settings) await this.#client.execute(sql);
    await this.#client.batch([...definitions], 'write');
  }

  /** Locks the file for this process, applies the settings and checks the file; throws on damage. */
  async prepare(): Promise<void> {
    for (const sql of [...LOCK_STATEMENTS, ...SETTING_STATEMENTS]) await this.#client.execute(sql);
    const { pageBytes, pages } = await this.pages();
    if (pages * pageBytes > FULL_CHECK_BYTES) return;
    const problem = await this.scalar('PRAGMA quick_check(1)');
    if (problem !== 'ok') throw new LibsqlError(String(problem), 'SQLITE_CORRUPT');
  }

  /** Runs `statements` as one transaction, durable when this resolves. Throws DatastoreError `disk-full` or `failed`. */
  async transaction(statements: InStatement[]): Promise<void> {
    try {
      await this.#client.batch(statements, 'write');
    } catch (error) {
      throw writeError(this.#path, error);
    }
    this.commits++;
  }

  /** Gives at most `count` free pages back to the file system. */
  async vacuum(count: number): Promise<void> {
    try {
      // `execute` would stop after the first page and leave the statement open.
      await this.#client.executeMultiple(`PRAGMA incremental_vacuum(${count})`);
    } catch (error) {
      throw writeError(this.#path, error);
    }
    this.commits++;
  }

  /** The rows of a query; throws DatastoreError `failed`. */
  async rows(sql: string, args: SqlArgs = []): Promise<readonly ArrayLike<unknown>[]> {
    try {
      return (await this.#client.execute({ sql, args: [...args] })).rows;
    } catch (error) {
      throw new DatastoreError('failed', `cannot read the datastore ${this.#path}`, { cause: error });
    }
  }

  /** The first column of the first row. */
  async scalar(sql: string, args: SqlArgs = []): Promise<unknown> {
    return (await this.rows(sql, args))[0]?.[0];
  }

  /** The rows of a query that gives them as one JSON array: much cheaper than as rows. */
  async json<Row>(sql: string, args: SqlArgs): Promise<Row[]> {
    return JSON.parse(String(await this.scalar(sql, args))) as Row[];
  }

  /** The values of rows of the log by revision. */
  async values(revisions: readonly number[]): Promise<Map<number, Uint8Array>> {
    const values = new Map<number, Uint8Array>();
    if (revisions.length === 0) return values;
    for (const row of await this.rows(SQL.values, [JSON.stringify(revisions)])) {
      values.set(Number(row[0]), blobOf(row[1]));
    }
    return values;
  }

  async pages(): Promise<{ pageBytes: number; pages: number; freePages: number }> {
    return {
      pageBytes: Number(await this.scalar('PRAGMA page_size')),
      pages: Number(await this.scalar('PRAGMA page_count')),
      freePages: Number(await this.scalar('PRAGMA freelist_count')),
    };
  }

  /** libSQL keeps the files open until its statements are garbage collected or the thread ends. */
  close(): void {
    this.#client.close();
  }
}

/** libSQL gives blobs as ArrayBuffer; an empty one may come as NULL. */
export function blobOf(value: unknown): Uint8Array {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(0);
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

/** Whether `error`, thrown while opening, says that the content of the file is bad. */
export function isDamage(error: unknown): boolean {
  const code = libsqlError(error)?.code;
  return code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB' || code === 'SQLITE_ERROR';
}

/** What to tell the operator about an error thrown while opening. */
export function openingError(path: string, error: unknown): OperatorError {
  if (libsqlError(error)?.code === 'SQLITE_BUSY') {
    return new OperatorError(`the datastore ${path} is in use by another kedge process: stop that one first`);
  }
  if (isDamage(error)) {
    const detail = libsqlError(error)?.message.replace(/\s+/g, ' ');
    return new OperatorError(`the datastore ${path} is corrupted (${detail}); it was left as it is. ${REMEDY}`);
  }
  return new OperatorError(`cannot open the datastore ${path}: ${errorText(error)}`);
}

import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { OperatorError } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.ts';

/** The part of a database file's header that is looked at (see "Database File Format" of SQLite). */
const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
const USER_VERSION_OFFSET = 60;
const APPLICATION_ID_OFFSET = 68;

/** Files SQLite may keep beside `path`. */
const sideFiles = (path: string): string[] => [`${path}-wal`, `${path}-shm`, `${path}-journal`];

/**
 * Looks at the file at `path` before SQLite does, so that a file of somebody else is neither changed nor gets side files.
 * Makes the directory (0700) when it is missing. Throws OperatorError naming path and remedy.
 *
 * It closes the file, and POSIX drops a process's locks on a file with any close: never call it for a database that
 * this process has open.
 */
export function inspectDatabaseFile(path: string): 'missing' | 'present' {
  const header = readHeader(path);
  if (header === undefined) {
    if (existsSync(`${path}-wal`)) {
      throw new OperatorError(
        `the datastore ${path} is missing but its write-ahead log ${path}-wal is there: put the database file back, ` +
          'or remove the log to start with an empty datastore',
      );
    }
    return 'missing';
  }
  const refuse = (what: string): never => {
    throw new OperatorError(`${path} ${what}; it was left as it is. ${REMEDY}`);
  };
  if (header.byteLength < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    refuse('is not a kedge datastore, or it is corrupted');
  }
  if (header.readUInt32BE(APPLICATION_ID_OFFSET) !== APPLICATION_ID) refuse('is a database of another program');
  const version = header.readUInt32BE(USER_VERSION_OFFSET);
  if (version > SCHEMA_VERSION) {
    throw new OperatorError(
      `the datastore ${path} has format ${version}, this kedge knows formats up to ${SCHEMA_VERSION}: ` +
        'it was written by a newer kedge; install that version again',
    );
  }
  if (version < 1) refuse(`has the unknown datastore format ${version}`);
  try {
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  } catch (error) {
    throw new OperatorError(`cannot restrict the datastore ${path} to its owner: ${errorText(error)}`);
  }
  return 'present';
}

export const REMEDY = 'Restore it from a backup, or move it away to start with an empty datastore';

function readHeader(path: string): Buffer | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(path, 'r');
    try {
      const header = Buffer.alloc(HEADER_BYTES);
      return header.subarray(0, readSync(fd, header, 0, HEADER_BYTES, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new OperatorError(`cannot read the datastore ${path}: ${errorText(error)}`);
  }
}

/**
 * Makes a database with `create` (which gets a temporary path and has to close what it opened) and moves it to `path` in
 * one step: a database file is either complete or not there.
 */
export function createDatabaseFile(path: string, create: (path: string) => void): void {
  const temporary = `${path}.new`;
  for (const file of [temporary, ...sideFiles(temporary)]) rmSync(file, { force: true });
  closeSync(openSync(temporary, 'wx', 0o600));
  create(temporary);
  sync(temporary);
  renameSync(temporary, path);
  sync(dirname(path));
}

function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const copyOf = (file: string): string => `${file}.kept`;

/**
 * Copies a damaged database and its write-ahead log before the connection is closed, because closing copies the log into
 * the database; `restoreDatabaseFiles` undoes that, so that a damaged database is refused without a byte of it changed.
 */
export function keepDatabaseFiles(path: string): void {
  for (const file of [path, `${path}-wal`]) {
    rmSync(copyOf(file), { force: true });
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0) copyFileSync(file, copyOf(file));
  }
}

/** Puts back what `keepDatabaseFiles` copied, if it did. Only after the connection is closed. */
export function restoreDatabaseFiles(path: string): void {
  if (!existsSync(copyOf(path))) return;
  const log = `${path}-wal`;
  if (existsSync(copyOf(log))) renameSync(copyOf(log), log);
  else rmSync(log, { force: true });
  renameSync(copyOf(path), path);
}

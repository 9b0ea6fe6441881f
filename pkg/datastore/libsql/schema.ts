/**
 * The layout of the database file.
 *
 * `log` is append-only: every create, update and delete inserts one row whose id is the revision; the newest row of a key
 * is its state. `deleted` stands in the index so that counting and listing keys never touches the rows themselves.
 *
 * `meta` holds two numbers:
 * - `floor`: history before this revision is compacted away; the state *at* it is complete.
 * - `ceiling`: no lazy write ever got a revision above it. Lazy writes get revisions that are not on disk yet, so after a
 *   crash numbering goes on above the ceiling. A clean close sets it to the newest revision.
 *
 * `lost` holds a row for each crash above the floor: revisions between the two (exclusive) may have been given to lazy
 * writes that are gone. Who has seen such a revision must list anew, so nothing can be read at it.
 */

/** `PRAGMA application_id`: "kdge". */
export const APPLICATION_ID = 0x6b646765;
/** `PRAGMA user_version`; a file with a newer one is refused. */
export const SCHEMA_VERSION = 1;

/**
 * Statements that make a new database. `auto_vacuum` only has an effect before anything is written. There is no
 * write-ahead log yet: libSQL keeps a closed connection's files open until its statements are garbage collected, so
 * everything has to be in the database file when the statements have run.
 */
export const CREATE_SETTINGS: readonly string[] = ['PRAGMA auto_vacuum = INCREMENTAL'];
export const CREATE_STATEMENTS: readonly string[] = [
  `PRAGMA application_id = ${APPLICATION_ID}`,
  `PRAGMA user_version = ${SCHEMA_VERSION}`,
  `CREATE TABLE log (
     rev INTEGER PRIMARY KEY,
     key TEXT NOT NULL,
     create_rev INTEGER NOT NULL,
     deleted INTEGER NOT NULL,
     value BLOB
   )`,
  'CREATE INDEX log_key ON log (key, rev, deleted)',
  'CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID',
  "INSERT INTO meta (name, value) VALUES ('floor', 0), ('ceiling', 0)",
  'CREATE TABLE lost (after INTEGER PRIMARY KEY, before INTEGER NOT NULL)',
];

/** Pages in the write-ahead log at which it is copied into the database: with journal_size_limit this bounds the WAL. */
const CHECKPOINT_PAGES = 1000;
const WAL_KEEP_BYTES = 4 * 1024 * 1024;

/**
 * Statements for every connection. The exclusive lock is what keeps a second kedge out, and it has to be asked for before
 * the file is first read; it also does away with the shared-memory file.
 */
export const LOCK_STATEMENTS: readonly string[] = ['PRAGMA locking_mode = EXCLUSIVE', 'PRAGMA journal_mode = WAL'];
export const SETTING_STATEMENTS: readonly string[] = [
  'PRAGMA synchronous = FULL',
  `PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
  `PRAGMA journal_size_limit = ${WAL_KEEP_BYTES}`,
  'PRAGMA temp_store = MEMORY',
];

/** An upper bound for keys above every text: SQLite sorts blobs after text. */
export const ABOVE_ALL_KEYS = new Uint8Array([0]);

export const SQL = {
  /** Args: rows as JSON, their values one after the other. A value is addressed by 1-based offset and length. */
  insert: `INSERT INTO log (rev, key, create_rev, deleted, value)
    SELECT value->>0, value->>1, value->>2, value->>3,
           CASE value->>3 WHEN 0 THEN substr(?2, value->>4, value->>5) END
    FROM json_each(?1)`,
  setMeta: 'UPDATE meta SET value = ?2 WHERE name = ?1',
  meta: 'SELECT name, value FROM meta',
  lost: 'SELECT after, before FROM lost',
  addLost: 'INSERT INTO lost (after, before) VALUES (?1, ?2)',
  dropLost: 'DELETE FROM lost WHERE before <= ?1',
  newest: 'SELECT coalesce(max(rev), 0) FROM log',
  /** Arg: keys as JSON. The newest row of each key there is. */
  heads: `SELECT json_group_array(json_array(l.key, l.rev, l.create_rev, l.deleted))
    FROM json_each(?1) e JOIN log l ON l.rev = (SELECT max(k.rev) FROM log k WHERE k.key = e.value)`,
  get: 'SELECT rev, create_rev, deleted, value FROM log WHERE key = ?1 ORDER BY rev DESC LIMIT 1',
  /** Arg: revisions as JSON. */
  values: 'SELECT rev, value FROM log WHERE rev IN (SELECT value FROM json_each(?1))',
  /** Args: first key, end, revision, limit. SQLite takes a bare column (`deleted`) from the row that has the max. */
  list: `SELECT json_group_array(json_array(h.key, h.rev, l.create_rev, length(l.value)))
    FROM (SELECT key, max(rev) AS rev, deleted FROM log WHERE key >= ?1 AND key < ?2 AND rev <= ?3
          GROUP BY key HAVING deleted = 0 ORDER BY key LIMIT ?4) h
    CROSS JOIN log l ON l.rev = h.rev`,
  /** Args: first key, end, revision. */
  count: `SELECT count(*) FROM (SELECT max(rev), deleted FROM log
    WHERE key >= ?1 AND key < ?2 AND rev <= ?3 GROUP BY key HAVING deleted = 0)`,
  /** Args: first key, end, revision, limit. A deletion comes with the revision of the value it removed. */
  since: `SELECT json_group_array(json_array(
      key, rev, create_rev, deleted, prev, (SELECT length(v.value) FROM log v WHERE v.rev = prev))) FROM (
      SELECT l.key, l.rev, l.create_rev, l.deleted, CASE l.deleted
        WHEN 0 THEN l.rev ELSE (SELECT max(p.rev) FROM log p WHERE p.key = l.key AND p.rev < l.rev) END AS prev
      FROM log l NOT INDEXED WHERE l.rev > ?3 AND l.key >= ?1 AND l.key < ?2 ORDER BY l.rev LIMIT ?4)`,
  /** Args: after, to, n. The revision of the n-th row (from 0) in the range. */
  nextRows: 'SELECT rev FROM log WHERE rev > ?1 AND rev <= ?2 ORDER BY rev LIMIT 1 OFFSET ?3',
  /** Args: after, to. Removes what each row in the range replaced: its predecessor, so the work is linear. */
  dropReplaced: `DELETE FROM log WHERE rev IN (
      SELECT (SELECT max(p.rev) FROM log p WHERE p.key = l.key AND p.rev < l.rev)
      FROM log l NOT INDEXED WHERE l.rev > ?1 AND l.rev <= ?2)`,
  dropDeletions: 'DELETE FROM log WHERE rev > ?1 AND rev <= ?2 AND deleted = 1',
} as const;

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogConnection } from './connection.ts';
import { CREATE_SETTINGS, CREATE_STATEMENTS, SQL } from './schema.ts';
import { temporaryDirectory } from './testing.ts';

const VALUE = Buffer.alloc(2000, 1);

/** A statement that inserts rows of these revisions. */
const insert = (...revisions: number[]) => ({
  sql: SQL.insert,
  args: [
    JSON.stringify(revisions.map((revision) => [revision, `/${revision}`, revision, 0, 1, VALUE.length])),
    VALUE,
  ] as const,
});

function open(path: string): LogConnection {
  const db = new LogConnection(path);
  db.define(CREATE_SETTINGS, CREATE_STATEMENTS);
  db.prepare();
  return db;
}

test('a statement used again gives the rows of its new arguments, after none, many and an error', (t) => {
  const db = open(join(temporaryDirectory(t), 'state.db'));
  t.after(() => db.close());
  const all = Array.from({ length: 250 }, (_, n) => n + 1);
  db.transaction([insert(...all)]);
  // libSQL hands rows over by the hundred.
  for (const count of [0, 1, 99, 100, 101, 0, 250, 1, 200, 0]) {
    const wanted = all.slice(0, count);
    const rows = db.rows(SQL.values, [JSON.stringify(wanted)]);
    assert.deepEqual(
      rows.map(([revision]) => revision),
      wanted,
    );
  }
  assert.throws(() => db.rows(SQL.values, ['no JSON']), { code: 'failed' });
  assert.deepEqual([...db.values([7]).keys()], [7]);
  assert.deepEqual(db.values([7]).get(7), new Uint8Array(VALUE));
});

test('of a transaction that fails nothing is left, and the next one works', (t) => {
  const db = open(join(temporaryDirectory(t), 'state.db'));
  t.after(() => db.close());
  const raise = { sql: SQL.setMeta, args: ['ceiling', 5] };
  db.transaction([insert(1), raise]);
  assert.throws(() => db.transaction([{ ...raise, args: ['ceiling', 9] }, insert(2), insert(1)]), { code: 'failed' });
  assert.throws(() => db.transaction([insert(3, 1)]), { code: 'failed' });
  assert.equal(db.scalar(SQL.newest), 1);
  assert.deepEqual(Object.fromEntries(db.rows(SQL.meta) as [string, number][]), { ceiling: 5, floor: 0 });
  db.transaction([insert(2), raise]);
  assert.equal(db.scalar(SQL.newest), 2);
  assert.equal(db.commits, 2);
});

test('statements kept for later do not keep the write-ahead log from being emptied', (t) => {
  const path = join(temporaryDirectory(t), 'state.db');
  const db = open(path);
  t.after(() => db.close());
  for (let revision = 1; revision <= 6000; revision += 20) {
    db.transaction([insert(...Array.from({ length: 20 }, (_, n) => revision + n))]);
    db.rows(SQL.list, ['/', '0', revision, 10]);
  }
  // 6000 values are 12 MB.
  const { size } = statSync(`${path}-wal`);
  assert.ok(size < 10 * 1024 * 1024, `the write-ahead log has ${size} bytes`);
});

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openTestDatastore } from '../../datastore/libsql/testing.ts';
import { bytes, text } from '../../datastore/testing/values.ts';
import { listSnapshots, readSnapshot, snapshotPath, writeSnapshot } from './snapshot-file.ts';

test('a snapshot holds every key; a damaged one is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-snapshot-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const store = await openTestDatastore(t);
  const keys = Array.from({ length: 1200 }, (_, n) => `/k/${n}`).sort();
  await Promise.all(keys.map((key) => store.create(key, bytes(`value of ${key}`))));
  const path = snapshotPath(folder, 'first');
  const about = {
    cluster: { id: 'abc', name: 'test' },
    store: 'libsql',
    node: 'one',
    createdAt: '2026-01-01T00:00:00.000Z',
  } as const;
  assert.deepEqual(await writeSnapshot(store, path, about), { keys: 1200, revision: 1200 });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { header, kvs } = await readSnapshot(path);
  assert.deepEqual(header, { kedge: 'snapshot', format: 1, ...about, revision: 1200 });
  assert.deepEqual(
    kvs.map(({ key }) => key),
    keys,
  );
  assert.ok(kvs.every(({ key, value }) => text(value) === `value of ${key}`));
  assert.deepEqual(
    (await listSnapshots(folder)).map(({ name, createdAt }) => [name, createdAt]),
    [['first', about.createdAt]],
  );
  const content = readFileSync(path);
  content.writeUInt8(content.readUInt8(1000) ^ 1, 1000);
  writeFileSync(path, content);
  await assert.rejects(readSnapshot(path), /is damaged/);
  writeFileSync(path, 'nothing of ours');
  await assert.rejects(readSnapshot(path), /is no snapshot/);
});

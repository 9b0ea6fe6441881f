import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { datastoreContract } from '../testing/contract.ts';
import { modelContract } from '../testing/model.ts';
import { bytes, type Hooks } from '../testing/values.ts';
import { openTestDatastore, temporaryDirectory } from './testing.ts';

const make = async (t: Hooks) => {
  const path = join(temporaryDirectory(t), 'db', 'state.db');
  return { open: () => openTestDatastore(t, { path }) };
};

datastoreContract('libSQL', make);
modelContract('libSQL', make, { coalesces: true, ordered: true });

test('writes that wait together share one commit', async (t) => {
  const store = await openTestDatastore(t);
  await Promise.all(['a', 'b', 'c'].map((name) => store.create(`/${name}`, bytes(name))));
  assert.equal((await store.stats()).commits, 1);
});

test('while a group is committed the next one follows it; events, results and commits stay in order', async (t) => {
  const store = await openTestDatastore(t);
  const seen: number[] = [];
  store.subscribe((events) => seen.push(...events.map(({ kv }) => kv.modRevision)));
  const results = await Promise.all(Array.from({ length: 100 }, (_, n) => store.create(`/${n % 80}`, bytes(`v${n}`))));
  const made = results.flatMap((result) => (result.ok ? [result.revision] : []));
  assert.deepEqual(
    made,
    Array.from({ length: 80 }, (_, n) => n + 1),
  );
  assert.deepEqual(seen, made);
  // The first of a key wins, in whichever group the second is.
  assert.deepEqual(
    results.slice(80).map((result) => !result.ok && result.current?.modRevision),
    made.slice(0, 20),
  );
  const { commits } = await store.stats();
  assert.ok(commits > 1 && commits <= 4, `${commits} commits`);
});

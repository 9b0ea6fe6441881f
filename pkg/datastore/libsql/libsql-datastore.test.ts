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

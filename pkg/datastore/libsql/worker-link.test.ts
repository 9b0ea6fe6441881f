import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DatastoreError } from '../datastore.ts';
import { temporaryDirectory } from './testing.ts';
import { WorkerLink } from './worker-link.ts';

test('a worker that ends by itself is noticed: what waits is rejected, onDeath is called once', async (t) => {
  const dir = temporaryDirectory(t);
  const deaths: DatastoreError[] = [];
  const { link, opened } = await WorkerLink.start({ path: join(dir, 'state.db'), nativeDir: dir }, (error) =>
    deaths.push(error),
  );
  assert.deepEqual(opened, { revision: 0, floor: 0 });
  // The request to close ends the worker behind the back of the link; what comes after it is never answered.
  const results = await Promise.allSettled([link.call('close', {}), link.call('get', { key: '/a' })]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected'],
  );
  await link.close();
  assert.deepEqual(
    deaths.map((error) => [error.name, error.code]),
    [['DatastoreError', 'failed']],
  );
  await assert.rejects(link.call('stats', {}), { code: 'failed' });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResourceCache } from './resource-cache.ts';

const PREFIX = '/registry/core/configmaps/';

function put(cache: ResourceCache, revision: number, bytes: number): void {
  const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' }, data: { a: 'x'.repeat(bytes) } };
  const value = Buffer.from(JSON.stringify(object));
  cache.apply({
    type: 'PUT',
    kv: { key: `${PREFIX}default/a`, value, createRevision: 1, modRevision: revision },
  } as Parameters<ResourceCache['apply']>[0]);
}

test('kept events are bounded by number and by size, and the floor tells from where on they are whole', () => {
  const cache = new ResourceCache(PREFIX, 0);
  for (let revision = 1; revision <= 40; revision++) put(cache, revision, 1024 * 1024);
  assert.ok(cache.floor >= 32 && cache.floor < 40);
  const events = cache.eventsSince(cache.floor) ?? [];
  assert.deepEqual(
    events.map(({ stored }) => stored.revision),
    Array.from({ length: 40 - cache.floor }, (_, index) => cache.floor + 1 + index),
  );
  assert.equal(cache.eventsSince(cache.floor - 1), undefined);

  const small = new ResourceCache(PREFIX, 0);
  for (let revision = 1; revision <= 5000; revision++) put(small, revision, 10);
  const kept = small.eventsSince(small.floor) ?? [];
  assert.ok(kept.length >= 1024 && kept.length <= 1536);
  assert.equal(small.lastRevision, 5000);
});

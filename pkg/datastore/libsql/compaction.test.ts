import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { CompactionPolicy, KEEP_MS, KEEP_REVISIONS, MOST_REVISIONS } from './compaction-policy.ts';
import type { LibsqlDatastore } from './libsql-datastore.ts';
import { openTestDatastore } from './testing.ts';

const MINUTE = 60_000;

test('the policy keeps 1000 revisions, 5 minutes, and never more than 50,000 revisions', () => {
  const policy = new CompactionPolicy();
  policy.note(0, 0);
  policy.note(3000, MINUTE);
  policy.note(6000, 2 * MINUTE);
  assert.equal(policy.target(6000, 0, 2 * MINUTE), undefined, 'nothing is old enough');
  assert.equal(policy.target(6000, 0, MINUTE + KEEP_MS), 3000);
  assert.equal(policy.target(6000, 2500, MINUTE + KEEP_MS), undefined, 'not worth it');
  assert.equal(policy.target(6000, 3000, 9 * MINUTE), 6000 - KEEP_REVISIONS);
  assert.equal(policy.target(6000, 6000 - KEEP_REVISIONS, 60 * MINUTE), undefined);
  assert.equal(policy.pending(6000, 6000 - KEEP_REVISIONS), false);
  assert.equal(policy.pending(6000, 3000), true);
  assert.equal(policy.target(6000 + MOST_REVISIONS, 0, 2 * MINUTE), 6000);
  assert.equal(policy.overdue(6000 + MOST_REVISIONS, 0), true);
  assert.equal(policy.overdue(6000 + MOST_REVISIONS, 6000), false);
});

/** Lets work that is under way in the worker finish, moving `clock` on. */
async function settle(store: LibsqlDatastore, clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 30_000) {
    await clock.advance(30_000);
    await store.stats();
  }
  for (let last = -1; ; ) {
    const { floor, freePages } = await store.stats();
    if (floor + freePages === last) return;
    last = floor + freePages;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** Updates `keys` keys in turn until `writes` writes are made, 100 at a time. */
async function churn(store: LibsqlDatastore, keys: number, writes: number, size: number): Promise<void> {
  const revisions = new Map((await store.list('/k/')).kvs.map((kv) => [kv.key, kv.modRevision]));
  const value = new Uint8Array(size).fill(1);
  for (let done = 0; done < writes; done += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const key = `/k/${(done + index) % keys}`;
        const revision = revisions.get(key);
        const write = revision === undefined ? store.create(key, value) : store.update(key, value, revision);
        const result = await write;
        assert.ok(result.ok);
        revisions.set(key, result.revision);
      }),
    );
  }
}

test('history is compacted by itself, then there is nothing to do', async (t) => {
  const clock = new FakeClock();
  const store = await openTestDatastore(t, { clock });
  await churn(store, 100, 5000, 100);
  await settle(store, clock, MINUTE);
  assert.equal((await store.stats()).floor, 0);
  await settle(store, clock, 7 * MINUTE);
  const { floor, commits } = await store.stats();
  assert.equal(floor, 4000);
  assert.equal((await store.since('/', 4000, 9999)).length, 1000);
  await settle(store, clock, 120 * MINUTE);
  assert.equal((await store.stats()).commits, commits);
});

test('the file does not grow with churn, and shrinks when most of it is free', async (t) => {
  const clock = new FakeClock();
  const store = await openTestDatastore(t, { clock });
  const sizes: number[] = [];
  for (let round = 0; round < 5; round++) {
    await churn(store, 500, 4000, 2000);
    await settle(store, clock, 12 * MINUTE);
    sizes.push((await store.stats()).pages);
  }
  assert.ok((sizes[4] ?? 0) <= (sizes[1] ?? 0) * 1.1, `pages after each round: ${sizes.join(' ')}`);
  for (const kv of (await store.list('/k/')).kvs) await store.delete(kv.key, kv.modRevision);
  await store.compact(store.revision);
  const { pages, freePages } = await store.stats();
  assert.ok(pages < (sizes[0] ?? 0) && freePages < 1024, `${pages} pages, ${freePages} free, before ${sizes[0]}`);
});

test('a long flood is compacted while it runs', async (t) => {
  const store = await openTestDatastore(t, { clock: new FakeClock() });
  await churn(store, 200, MOST_REVISIONS + 3000, 20);
  const { revision, floor } = await store.stats();
  assert.ok(floor > 0 && revision - floor <= MOST_REVISIONS + 3000, `floor ${floor} of ${revision}`);
});

import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { CompactedError, LAZY_FLUSH_MS } from '../datastore.ts';
import { bytes, text } from '../testing/values.ts';
import { coalesce, LazyBuffer, type LogRow } from './lazy-buffer.ts';
import { openTestDatastore, temporaryDirectory } from './testing.ts';

const lazy = { durability: 'lazy' } as const;
const row = (revision: number, key: string, value: string | undefined, isLazy = true): LogRow => ({
  revision,
  key,
  createRevision: 1,
  value: value === undefined ? undefined : bytes(value),
  lazy: isLazy,
});
const revisions = (rows: readonly LogRow[]): number[] => rows.map((one) => one.revision);

test('coalesce leaves out lazy puts that a later put replaces', () => {
  const cases: [LogRow[], number[]][] = [
    [
      [row(1, 'a', 'x'), row(2, 'a', 'y'), row(3, 'b', 'x'), row(4, 'a', 'z')],
      [3, 4],
    ],
    [
      [row(1, 'a', 'x', false), row(2, 'a', 'y'), row(3, 'a', 'z', false)],
      [1, 3],
    ],
    [
      [row(1, 'a', 'x'), row(2, 'a', undefined), row(3, 'a', 'y'), row(4, 'a', 'z')],
      [1, 2, 4],
    ],
  ];
  for (const [rows, expected] of cases) {
    assert.deepEqual(revisions(coalesce(rows)), expected);
  }
});

test('the lazy buffer holds what coalesce would keep, and counts it', () => {
  const buffer = new LazyBuffer();
  for (const one of [
    row(1, 'a', 'xx'),
    row(2, 'b', 'x'),
    row(3, 'a', 'y'),
    row(4, 'a', undefined),
    row(5, 'a', 'zzz'),
  ]) {
    buffer.add(one);
  }
  assert.deepEqual(revisions(buffer.rows()), [2, 3, 4, 5]);
  assert.deepEqual([buffer.count, buffer.bytes, buffer.newest('a')?.revision], [4, 5, 5]);
  assert.deepEqual([buffer.touches('b'), buffer.touches('c')], [true, false]);
  buffer.clear();
  assert.deepEqual([buffer.count, buffer.bytes, buffer.rows()], [0, 0, []]);
});

test('a lease renewed every 10 s costs one commit a minute; without writes there is none', async (t) => {
  const clock = new FakeClock();
  const store = await openTestDatastore(t, { clock });
  const events: number[] = [];
  store.subscribe((batch) => events.push(...batch.map((event) => event.kv.modRevision)));
  let { revision } = ok(await store.create('/lease', bytes('0')));
  const before = (await store.stats()).commits;
  for (let second = 10; second <= 600; second += 10) {
    await clock.advance(10_000);
    ({ revision } = ok(await store.update('/lease', bytes(String(second)), revision, lazy)));
    assert.equal(text((await store.get('/lease'))?.value), String(second));
  }
  const { commits } = await store.stats();
  assert.ok(commits - before <= 10, `${commits - before} commits in 10 minutes`);
  assert.equal(events.length, 61);
  await clock.advance(LAZY_FLUSH_MS);
  assert.equal((await store.stats()).pendingLazy, 0);
  const quiet = (await store.stats()).commits;
  await clock.advance(3_600_000);
  assert.equal((await store.stats()).commits, quiet);
});

test('lazy writes follow the same rules, reach the disk with the next durable write, and survive a clean close', async (t) => {
  const path = join(temporaryDirectory(t), 'state.db');
  const store = await openTestDatastore(t, { path, clock: new FakeClock() });
  await store.create('/durable', bytes('1'));
  await store.create('/event', bytes('1'), lazy);
  assert.equal((await store.create('/event', bytes('2'), lazy)).ok, false);
  assert.equal((await store.update('/event', bytes('2'), 1, lazy)).ok, false);
  await store.update('/event', bytes('2'), 2, lazy);
  assert.equal((await store.stats()).pendingLazy, 1);
  await store.create('/other', bytes('1'));
  assert.equal((await store.stats()).pendingLazy, 0);
  await store.delete('/event', 3, lazy);
  assert.equal(await store.get('/event'), undefined);
  await store.create('/event', bytes('3'), lazy);
  assert.equal((await store.stats()).pendingLazy, 2);
  assert.deepEqual(
    (await store.list('/event')).kvs.map((kv) => text(kv.value)),
    ['3'],
  );
  assert.equal((await store.stats()).pendingLazy, 0, 'a list sees the disk only');
  await store.update('/event', bytes('4'), 6, lazy);
  await store.close();
  const again = await openTestDatastore(t, { path });
  assert.equal(again.revision, 7);
  assert.equal(text((await again.get('/event'))?.value), '4');
  const events = await again.since('/event', 2, 100);
  assert.deepEqual(
    events.map(({ type, kv }) => `${type} ${text(kv.value)} ${kv.createRevision}/${kv.modRevision}`),
    ['PUT 2 2/3', 'DELETE 2 2/5', 'PUT 3 6/6', 'PUT 4 6/7'],
  );
});

test('many lazy writes are bounded in memory', async (t) => {
  const store = await openTestDatastore(t, { clock: new FakeClock() });
  await store.create('/first', bytes('x'));
  for (let n = 0; n < 25; n++) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.create(`/event/${n}/${i}`, bytes('x'), lazy)));
    assert.ok((await store.stats()).pendingLazy <= 1000);
  }
  const large = new Uint8Array(1024 * 1024);
  for (let n = 0; n < 5; n++) await store.create(`/large/${n}`, large, lazy);
  assert.ok((await store.stats()).pendingLazy <= 3);
  assert.equal((await store.list('/event/')).kvs.length, 2500);
});

/** What a crash at this moment would leave of an open database, as a database of its own. */
function crashCopy(t: TestContext, path: string): string {
  const copy = join(temporaryDirectory(t), 'state.db');
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix);
  return copy;
}

test('after a crash: revisions do not repeat, lost ones cannot be read at, earlier ones can', async (t) => {
  const path = join(temporaryDirectory(t), 'state.db');
  const store = await openTestDatastore(t, { path });
  await store.create('/a', bytes('1'));
  await store.create('/b', bytes('1'), lazy);
  await store.create('/c', bytes('1'), lazy);
  assert.equal(store.revision, 3);
  let copy = crashCopy(t, path);
  await store.close();

  let after = await openTestDatastore(t, { path: copy });
  const first = after.revision;
  assert.ok(first > 1000);
  const check = async (): Promise<void> => {
    assert.deepEqual([text((await after.get('/a'))?.value), await after.get('/b')], ['1', undefined]);
    for (const lost of [2, 3, first - 1]) {
      await assert.rejects(
        after.since('/', lost, 10),
        (error) => error instanceof CompactedError && error.floor === first,
      );
      await assert.rejects(after.list('/', { revision: lost }), CompactedError);
    }
    const expected = after.revision - first;
    for (const good of [1, first]) assert.equal((await after.since('/', good, 10)).length, expected);
    assert.equal((await after.list('/', { revision: 1 })).kvs.length, 1);
  };
  await check();

  copy = crashCopy(t, copy);
  after = await openTestDatastore(t, { path: copy });
  assert.equal(after.revision, first, 'nothing was written: nothing more is lost');
  await check();
  assert.equal(ok(await after.create('/d', bytes('1'))).revision, first + 1);
  await check();
  await after.close();
  after = await openTestDatastore(t, { path: copy });
  assert.equal(after.revision, first + 1);
  await check();
});

function ok<T extends { ok: boolean }>(result: T): Extract<T, { ok: true }> {
  assert.ok(result.ok);
  return result as Extract<T, { ok: true }>;
}

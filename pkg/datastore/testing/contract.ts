import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CompactedError,
  type Datastore,
  type DatastoreEvent,
  type KeyValue,
  MAX_VALUE_BYTES,
  type WriteResult,
} from '../datastore.ts';
import { bytes, type Hooks, text } from './values.ts';

/** An empty datastore at revision 0, open; `open` opens it again after it was closed. It is cleaned up after the test. */
export interface ContractStore {
  open(): Promise<Datastore>;
}

/** Makes the datastore of one test. */
export type MakeStore = (t: Hooks) => Promise<ContractStore>;

/** `KEY=VALUE@created/modified`. */
const show = (kv: KeyValue | undefined): string | undefined =>
  kv && `${kv.key}=${text(kv.value)}@${kv.createRevision}/${kv.modRevision}`;
const showEvent = (event: DatastoreEvent): string => `${event.type} ${show(event.kv)}`;
const showResult = (result: WriteResult): string =>
  result.ok ? `ok ${result.revision}` : `lost to ${show(result.current)}`;

/** What every datastore has to do, as tests. */
export function datastoreContract(name: string, make: MakeStore): void {
  test(`${name}: writes are decided by the state of the key`, async (t) => {
    const store = await (await make(t)).open();
    const events: string[] = [];
    store.subscribe((batch) => events.push(...batch.map(showEvent)));
    const steps: [() => Promise<WriteResult>, string][] = [
      [() => store.update('/a', bytes('0'), 1), 'lost to undefined'],
      [() => store.delete('/a', 1), 'lost to undefined'],
      [() => store.create('/a', bytes('1')), 'ok 1'],
      [() => store.create('/a', bytes('2')), 'lost to /a=1@1/1'],
      [() => store.update('/a', bytes('2'), 1), 'ok 2'],
      [() => store.update('/a', bytes('3'), 1), 'lost to /a=2@1/2'],
      [() => store.delete('/a', 1), 'lost to /a=2@1/2'],
      [() => store.create('/b', bytes('')), 'ok 3'],
      [() => store.delete('/a', 2), 'ok 4'],
      [() => store.delete('/a', 4), 'lost to undefined'],
      [() => store.update('/a', bytes('5'), 4), 'lost to undefined'],
      [() => store.create('/a', bytes('5')), 'ok 5'],
    ];
    for (const [write, expected] of steps) assert.equal(showResult(await write()), expected);
    assert.deepEqual(events, ['PUT /a=1@1/1', 'PUT /a=2@1/2', 'PUT /b=@3/3', 'DELETE /a=2@1/4', 'PUT /a=5@5/5']);
    assert.equal(store.revision, 5);
    assert.equal(show(await store.get('/a')), '/a=5@5/5');
    assert.equal(show(await store.get('/b')), '/b=@3/3');
    assert.equal(await store.get('/c'), undefined);
    assert.deepEqual((await store.since('/', 0, 100)).map(showEvent), events);
    assert.deepEqual((await store.since('/b', 0, 100)).map(showEvent), ['PUT /b=@3/3']);
  });

  test(`${name}: writes to one key in one group are decided one after the other`, async (t) => {
    const store = await (await make(t)).open();
    const results = await Promise.all([
      store.create('/a', bytes('1')),
      store.create('/a', bytes('2')),
      store.update('/a', bytes('3'), 1),
      store.delete('/a', 2),
      store.create('/a', bytes('4')),
    ]);
    assert.deepEqual(results.map(showResult), ['ok 1', 'lost to /a=1@1/1', 'ok 2', 'ok 3', 'ok 4']);
    assert.deepEqual((await store.since('', 0, 9)).map(showEvent), [
      'PUT /a=1@1/1',
      'PUT /a=3@1/2',
      'DELETE /a=3@1/3',
      'PUT /a=4@4/4',
    ]);
  });

  test(`${name}: subscribers see an event before its writer goes on, in revision order; one that throws does no harm`, async (t) => {
    const store = await (await make(t)).open();
    const seen: number[] = [];
    store.subscribe(() => {
      throw new Error('bad subscriber');
    });
    const unsubscribe = store.subscribe((events) => seen.push(...events.map((event) => event.kv.modRevision)));
    await Promise.all(
      Array.from({ length: 50 }, async (_, writer) => {
        for (let n = 0; n < 10; n++) {
          const result = await store.create(`/${writer}/${n}`, bytes('x'));
          assert.ok(result.ok && seen.at(-1) === store.revision && seen.includes(result.revision));
        }
      }),
    );
    assert.deepEqual(
      seen,
      Array.from({ length: 500 }, (_, index) => index + 1),
    );
    unsubscribe();
    await store.create('/last', bytes('x'));
    assert.equal(seen.length, 500);
  });

  test(`${name}: lists: prefix, order of bytes, pages, past revisions`, async (t) => {
    const store = await (await make(t)).open();
    const names = ['/p/b', '/p/a', '/p/a/1', '/q/a', '/p/\u{1f600}', '/p/\uffee', '/p', '/p/a ', '/p/z'];
    for (const name of names) await store.create(name, bytes(name));
    await store.delete('/p/z', names.length);
    const keysOf = async (prefix: string, options = {}): Promise<string> =>
      (await store.list(prefix, options)).kvs.map((kv) => kv.key).join(' ');
    assert.equal(await keysOf('/p/'), '/p/a /p/a  /p/a/1 /p/b /p/\uffee /p/\u{1f600}');
    assert.equal(await keysOf('/p/a'), '/p/a /p/a  /p/a/1');
    assert.equal(await keysOf('/q/'), '/q/a');
    assert.equal(await keysOf('/r/'), '');
    assert.equal(await keysOf('', { revision: 3 }), '/p/a /p/a/1 /p/b');
    assert.equal(await keysOf('/p/', { revision: 9 }), '/p/a /p/a  /p/a/1 /p/b /p/z /p/\uffee /p/\u{1f600}');
    const first = await store.list('/p/', { limit: 2 });
    assert.deepEqual([first.more, first.count, first.revision], [true, 6, 10]);
    assert.deepEqual(first.kvs.map(show), ['/p/a=/p/a@2/2', '/p/a =/p/a @8/8']);
    const rest = await store.list('/p/', { limit: 4, after: '/p/a ', revision: 10 });
    assert.deepEqual([rest.more, rest.count, rest.kvs.length], [false, 4, 4]);
    assert.equal(rest.kvs[0]?.key, '/p/a/1');
    const empty = await store.list('/r/', { limit: 4 });
    assert.deepEqual([empty.more, empty.count], [false, 0]);
    await assert.rejects(store.list('/p/', { revision: 11 }), { code: 'future-revision' });
    await assert.rejects(store.since('/p/', 11, 1), { code: 'future-revision' });
  });

  test(`${name}: a list in many pieces is true at one revision while writes go on`, async (t) => {
    const store = await (await make(t)).open();
    const keys = Array.from({ length: 2000 }, (_, n) => `/k/${String(n).padStart(4, '0')}`);
    await Promise.all(keys.map((key) => store.create(key, bytes('old'))));
    const revision = store.revision;
    const current = (await store.list('/k/')).kvs;
    const [list, paged] = await Promise.all([
      store.list('/k/', { revision }),
      store.list('/k/', { revision, limit: 1500 }),
      ...current.map((kv) => store.update(kv.key, bytes('new'), kv.modRevision)),
      store.compact(revision + 1000),
    ]);
    assert.deepEqual(
      list.kvs.map((kv) => kv.key),
      keys,
    );
    assert.ok(list.kvs.every((kv) => text(kv.value) === 'old'));
    assert.deepEqual([list.more, list.count], [false, 2000]);
    assert.deepEqual([paged.more, paged.count, paged.kvs.length], [true, 2000, 1500]);
    assert.equal((await store.since('/k/', revision, 1800)).length, 1800);
  });

  test(`${name}: large values are read in pieces`, async (t) => {
    const store = await (await make(t)).open();
    const value = new Uint8Array(MAX_VALUE_BYTES).fill(7);
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => store.create(`/${name}`, value)));
    const list = await store.list('/', { limit: 5 });
    assert.deepEqual([list.kvs.length, list.more, list.count], [5, true, 6]);
    assert.ok(list.kvs.every((kv) => Buffer.compare(kv.value, value) === 0));
    assert.equal((await store.since('/', 0, 99)).length, 6);
  });

  test(`${name}: bad writes are refused with a code and change nothing`, async (t) => {
    const store = await (await make(t)).open();
    const tooLarge = new Uint8Array(MAX_VALUE_BYTES + 1);
    await assert.rejects(store.create('/a', tooLarge), { name: 'DatastoreError', code: 'value-too-large' });
    await assert.rejects(store.create('', bytes('x')), { code: 'invalid-key' });
    await assert.rejects(store.get('a\0'), { code: 'invalid-key' });
    assert.equal(store.revision, 0);
    const flood = Array.from({ length: 10_100 }, (_, n) => store.create(`/${n}`, bytes('x')));
    const settled = await Promise.allSettled(flood);
    const refused = settled.filter((one) => one.status === 'rejected');
    // What is on its way to the disk already does not count.
    assert.ok(refused.length > 0 && refused.length <= 100, `${refused.length} refused`);
    assert.ok(refused.every((one) => one.reason.code === 'queue-full'));
    assert.equal(store.revision, flood.length - refused.length);
    await store.close();
    await assert.rejects(store.create('/a', bytes('x')), { code: 'closed' });
    await assert.rejects(store.get('/a'), { code: 'closed' });
  });

  test(`${name}: close waits for what was asked for; everything is there after opening again`, async (t) => {
    const made = await make(t);
    const store = await made.open();
    const writes = Promise.all(Array.from({ length: 2500 }, (_, n) => store.create(`/${n}`, bytes(`v${n}`))));
    const closing = store.close();
    assert.ok((await writes).every((result) => result.ok));
    await closing;
    const again = await made.open();
    assert.equal(again.revision, 2500);
    assert.equal((await again.list('/')).kvs.length, 2500);
    assert.equal(showResult(await again.create('/next', bytes('x'))), 'ok 2501');
  });

  test(`${name}: compact forgets what was replaced or deleted, and nothing else`, async (t) => {
    const made = await make(t);
    const store = await made.open();
    await store.create('/a', bytes('1'));
    await store.update('/a', bytes('2'), 1);
    await store.create('/b', bytes('1'));
    await store.delete('/b', 3);
    await store.update('/a', bytes('3'), 2);
    await store.compact(4);
    const check = async (from: typeof store): Promise<void> => {
      await assert.rejects(
        from.list('/', { revision: 3 }),
        (error) => error instanceof CompactedError && error.floor === 4,
      );
      await assert.rejects(from.since('/', 3, 10), CompactedError);
      assert.deepEqual((await from.list('/', { revision: 4 })).kvs.map(show), ['/a=2@1/2']);
      assert.deepEqual((await from.since('/', 4, 10)).map(showEvent), ['PUT /a=3@1/5']);
    };
    await check(store);
    await store.compact(2);
    await check(store);
    await store.delete('/a', 5);
    await store.compact(99);
    assert.deepEqual((await store.list('/')).kvs, []);
    await store.close();
    const again = await made.open();
    assert.equal(again.revision, 6);
    assert.deepEqual(await again.since('/', 6, 10), []);
    assert.equal(showResult(await again.create('/a', bytes('1'))), 'ok 7');
  });
}

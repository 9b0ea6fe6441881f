import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { datastoreContract, type MakeStore } from '../../../pkg/datastore/testing/contract.ts';
import { modelContract } from '../../../pkg/datastore/testing/model.ts';
import { bytes, text } from '../../../pkg/datastore/testing/values.ts';
import { RelativeDatastore } from './relative-datastore.ts';
import { TestEtcd } from './test-etcd.ts';

let etcd: TestEtcd;

before(async () => {
  etcd = await TestEtcd.start();
});

after(async () => {
  await etcd.stop();
});

/** What earlier tests wrote is deleted, and revisions count from there. */
const make: MakeStore = async (t) => {
  const client = etcd.client();
  t.after(() => client.close());
  await (await etcd.datastore()).close();
  const { header } = await client.call('deleteRange', { key: '\0', rangeEnd: '\0' });
  const base = header?.revision ?? 0;
  return {
    open: async () => {
      const store = await etcd.datastore();
      t.after(() => store.close());
      return new RelativeDatastore(store, base);
    },
  };
};

datastoreContract('etcd', make);
modelContract('etcd', make, { coalesces: false, ordered: false });

test('two servers: what one wrote, the other has seen when it asks', async (t) => {
  const made = await make(t);
  const [one, two] = [await made.open(), await made.open()];
  const seen = new Map<string, string | undefined>();
  two.subscribe((events) => {
    for (const { kv } of events) seen.set(kv.key, text(kv.value));
  });
  for (let round = 0; round < 50; round++) {
    const key = `/key/${round}`;
    await one.create(key, bytes(String(round)));
    await two.current();
    assert.equal(seen.get(key), String(round));
  }
  const both = await Promise.all([one.create('/race', bytes('1')), two.create('/race', bytes('2'))]);
  assert.equal(both.filter((result) => result.ok).length, 1);
});

test('etcd is killed and comes back: what was acknowledged is there, and writes and the watch go on', async (t) => {
  const store = await (await make(t)).open();
  const acknowledged: string[] = [];
  const seen = new Set<string>();
  store.subscribe((events) => {
    for (const { kv } of events) seen.add(kv.key);
  });
  const writer = (async () => {
    for (let n = 0; n < 200; n++) {
      const key = `/kill/${n}`;
      const result = await store.create(key, bytes(key));
      assert.ok(result.ok, `${key} is made once`);
      acknowledged.push(key);
      if (n === 50) void etcd.kill().then(() => etcd.run());
    }
  })();
  await writer;
  const keys = new Set((await store.list('/kill/')).kvs.map((kv) => kv.key));
  assert.deepEqual(
    acknowledged.filter((key) => !keys.has(key) || !seen.has(key)),
    [],
  );
});

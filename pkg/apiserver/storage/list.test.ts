import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { configMaps } from '../../api/resources.ts';
import { StatusError } from '../../apimachinery/status-error.ts';
import { FakeClock } from '../../base/clock.ts';
import { openTestDatastore } from '../../datastore/libsql/testing.ts';
import { configMap } from '../../registry/core/config-map.ts';
import { encodeContinue } from './continue-token.ts';
import { type ListPage, type ListRequest, readPage } from './list.ts';
import { Selection } from './selection.ts';
import { objectKey, resourcePrefix, Store } from './store.ts';

class World {
  readonly store: Store;
  constructor(store: Store) {
    this.store = store;
  }

  static async open(t: TestContext, names: string): Promise<World> {
    const datastore = await openTestDatastore(t, { clock: new FakeClock() });
    const world = new World(await Store.open(datastore));
    for (const name of names) await world.create(name);
    return world;
  }

  async create(name: string): Promise<void> {
    const metadata = { name, namespace: 'n', labels: { half: name < 'd' ? 'first' : 'second' } };
    const value = Buffer.from(JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata }));
    assert.ok((await this.store.datastore.create(objectKey(configMaps, name, 'n'), value)).ok);
  }

  async remove(name: string): Promise<void> {
    const stored = this.store.get(configMaps, name, 'n');
    assert.ok((await this.store.datastore.delete(stored?.key ?? '', stored?.revision ?? 0)).ok);
  }

  list(request: Partial<ListRequest> & { readonly labels?: string } = {}): Promise<ListPage> {
    const { labels, ...rest } = request;
    const prefix = `${resourcePrefix(configMaps)}n/`;
    const selection = Selection.parse(configMap, labels, undefined);
    return readPage(this.store, this.store.cache(configMaps), { prefix, selection, limit: 0, ...rest });
  }
}

const names = ({ items }: ListPage): string => items.map(({ object }) => object.metadata.name).join('');

/** `names|remaining` of the page, and of those that follow it. */
async function pages(world: World, request: Parameters<World['list']>[0], between = async () => {}): Promise<string[]> {
  const found: string[] = [];
  for (let continueToken: string | undefined; ; ) {
    const page = await world.list({ ...request, continueToken });
    found.push(`${names(page)}|${page.remaining ?? ''}`);
    if (page.continue === undefined) return found;
    continueToken = page.continue;
    await between();
  }
}

async function refusal(promise: Promise<unknown>): Promise<StatusError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StatusError);
  return error;
}

test('pages are of one moment, whatever is written in between', async (t) => {
  const world = await World.open(t, 'abcdefgh');
  assert.deepEqual(await pages(world, { limit: 3 }), ['abc|5', 'def|2', 'gh|']);
  const { revision } = world.store;
  let round = 0;
  const disturb = async (): Promise<void> => {
    await world.create(`d${round++}`);
    if (round === 1) await world.remove('g');
  };
  assert.deepEqual(await pages(world, { limit: 3 }, disturb), ['abc|5', 'def|2', 'gh|']);
  assert.equal(names(await world.list()), 'abcdd0d1efh');
  assert.deepEqual(await pages(world, { limit: 2, labels: 'half=second' }, disturb), ['dd0|', 'd1e|', 'fh|']);
  const exact = { resourceVersion: String(revision) };
  assert.equal(names(await world.list({ ...exact, resourceVersionMatch: 'Exact' })), 'abcdefgh');
  assert.equal(names(await world.list({ ...exact, limit: 4 })), 'abcd');
  assert.equal(names(await world.list({ ...exact, resourceVersionMatch: 'NotOlderThan', limit: 4 })), 'abcd');
  assert.equal(names(await world.list({ ...exact, resourceVersionMatch: 'NotOlderThan' })), 'abcdd0d1d2d3efh');
});

test('any version is answered whole, whatever the limit', async (t) => {
  const world = await World.open(t, 'abc');
  const page = await world.list({ resourceVersion: '0', limit: 1 });
  assert.deepEqual([names(page), page.continue], ['abc', undefined]);
});

test('after compaction a list goes on with what there is now', async (t) => {
  const world = await World.open(t, 'abcdef');
  const first = await world.list({ limit: 2 });
  await world.remove('d');
  await world.create('e0');
  await world.store.datastore.compact(world.store.revision);
  const gone = await refusal(world.list({ limit: 2, continueToken: first.continue }));
  assert.deepEqual([gone.code, gone.reason], [410, 'Expired']);
  assert.match(
    gone.message,
    /too old to display a consistent list result.* or use the continue token in this response/,
  );
  const next = await world.list({ limit: 2, continueToken: gone.status.metadata.continue });
  assert.equal(names(next), 'ce');
  assert.equal(names(await world.list({ continueToken: next.continue })), 'e0f');
  const old = await refusal(world.list({ resourceVersion: String(first.revision), resourceVersionMatch: 'Exact' }));
  assert.deepEqual([old.code, old.message], [410, 'The resourceVersion for the provided list is too old.']);
});

test('tokens and versions that make no sense are refused', async (t) => {
  const world = await World.open(t, 'ab');
  const raw = (token: object): string => Buffer.from(JSON.stringify(token)).toString('base64url');
  const cases: [Partial<ListRequest>, number, RegExp][] = [
    [{ continueToken: 'abc' }, 400, /^invalid continue token: continue key is not valid: invalid character/],
    [{ continueToken: raw({ v: 'v9', rv: 1, start: 'a' }) }, 400, /does not recognize this encoded version v9$/],
    [{ continueToken: encodeContinue({ revision: 0, start: 'a' }) }, 400, /incorrect encoded start resourceVersion/],
    [{ continueToken: encodeContinue({ revision: 1, start: '' }) }, 400, /encoded start key empty/],
    [{ continueToken: encodeContinue({ revision: 1, start: '../../secrets/n/a' }) }, 400, /secrets/],
    [{ continueToken: encodeContinue({ revision: 999, start: 'a' }) }, 504, /Too large resource version: 999/],
    [
      { continueToken: encodeContinue({ revision: 1, start: 'a' }), resourceVersion: '1' },
      400,
      /not allowed when using continue/,
    ],
    [{ resourceVersion: '999' }, 504, /Too large resource version/],
  ];
  for (const [request, code, message] of cases) {
    const error = await refusal(world.list(request));
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
});

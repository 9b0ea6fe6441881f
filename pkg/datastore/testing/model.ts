import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompactedError, type Datastore, type DatastoreEvent, type KeyValue } from '../datastore.ts';
import { compareKeys } from '../keys.ts';
import type { MakeStore } from './contract.ts';
import { bytes, text } from './values.ts';

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Entry {
  readonly type: 'PUT' | 'DELETE';
  readonly key: string;
  readonly value: string;
  readonly created: number;
  readonly modified: number;
  readonly lazy: boolean;
}

const plain = ({ key, value, createRevision, modRevision }: KeyValue): string =>
  `${key}=${text(value)} ${createRevision}/${modRevision}`;
const plainEvent = ({ type, kv }: DatastoreEvent): string => `${type} ${plain(kv)}`;
const plainEntry = ({ key, value, created, modified }: Entry): string => `${key}=${value} ${created}/${modified}`;
const byKey = (a: Entry, b: Entry): number => compareKeys(a.key, b.key);

/** The whole history in memory: what the datastore has to agree with. */
class Model {
  readonly log: Entry[] = [];
  floor = 0;

  get revision(): number {
    return this.log.length;
  }

  live(key: string, at = this.revision): Entry | undefined {
    const last = this.log.findLast((entry) => entry.key === key && entry.modified <= at);
    return last?.type === 'PUT' ? last : undefined;
  }

  list(prefix: string, at: number): Entry[] {
    const keys = new Set(this.log.map((entry) => entry.key).filter((key) => key.startsWith(prefix)));
    return [...keys].flatMap((key) => this.live(key, at) ?? []).sort(byKey);
  }

  write(verb: 'create' | 'update' | 'delete', key: string, value: string, expect: number, lazy: boolean): string {
    const found = this.live(key);
    const wins = verb === 'create' ? found === undefined : found?.modified === expect;
    if (!wins) return `lost ${found && plainEntry(found)}`;
    const modified = this.revision + 1;
    const created = found?.created ?? modified;
    if (verb === 'delete') this.log.push({ type: 'DELETE', key, value: found?.value ?? '', created, modified, lazy });
    else this.log.push({ type: 'PUT', key, value, created, modified, lazy });
    return `ok ${modified}`;
  }
}

const PREFIXES = ['', '/a/', '/b/', '/b/é', '/c'];
const KEYS = ['/a/1', '/a/2', '/a/3', '/b/1', '/b/é', '/b/éa', '/b/\u{1f600}', '/b/\uffee', '/c', '/d/1'];

/** Runs `steps` random operations on a datastore and the model, `lazyShare` of the writes being lazy. */
async function run(
  open: () => Promise<Datastore>,
  seed: number,
  steps: number,
  lazyShare: number,
  ordered: boolean,
): Promise<void> {
  const random = randomNumbers(seed);
  const below = (bound: number): number => Math.floor(random() * bound);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const model = new Model();
  const seen: string[] = [];
  let store = await open();
  const subscribe = (): void => {
    store.subscribe((events) => seen.push(...events.map(plainEvent)));
  };
  subscribe();

  const writes = async (): Promise<void> => {
    const pending: [Promise<string>, string][] = [];
    for (let n = 1 + below(6); n > 0; n--) {
      const key = pick(KEYS);
      const verb = pick(['create', 'update', 'update', 'delete'] as const);
      const value = random() < 0.1 ? '' : `v${model.revision}.${n}`;
      const expect = random() < 0.8 ? (model.live(key)?.modified ?? 0) : below(model.revision + 1);
      const lazy = random() < lazyShare;
      const options = { durability: lazy ? 'lazy' : 'durable' } as const;
      const made =
        verb === 'create'
          ? store.create(key, bytes(value), options)
          : verb === 'update'
            ? store.update(key, bytes(value), expect, options)
            : store.delete(key, expect, options);
      const shown = made.then((one) => (one.ok ? `ok ${one.revision}` : `lost ${one.current && plain(one.current)}`));
      pending.push([shown, model.write(verb, key, value, expect, lazy)]);
      if (!ordered) await shown;
    }
    for (const [actual, expected] of pending) assert.equal(await actual, expected);
  };

  const get = async (): Promise<void> => {
    const key = pick(KEYS);
    const found = await store.get(key);
    const expected = model.live(key);
    assert.equal(found && plain(found), expected && plainEntry(expected));
  };

  const list = async (): Promise<void> => {
    const prefix = pick(PREFIXES);
    // Values that lazy writes replaced before they reached the disk are gone, so the past is compared without them only.
    const revision = lazyShare > 0 || random() < 0.3 ? undefined : below(model.revision + 1);
    const after = random() < 0.3 ? pick(KEYS) : undefined;
    const limit = random() < 0.5 ? 1 + below(4) : undefined;
    const options = { ...(revision !== undefined && { revision }), ...(after && { after }), ...(limit && { limit }) };
    if (revision !== undefined && revision < model.floor) {
      await assert.rejects(store.list(prefix, options), CompactedError);
      return;
    }
    const at = revision ?? model.revision;
    const all = model.list(prefix, at).filter(({ key }) => after === undefined || compareKeys(key, after) > 0);
    const got = await store.list(prefix, options);
    assert.deepEqual(got.kvs.map(plain), all.slice(0, limit).map(plainEntry));
    assert.deepEqual([got.revision, got.count, got.more], [at, all.length, limit !== undefined && all.length > limit]);
  };

  const since = async (): Promise<void> => {
    const revision = below(model.revision + 1);
    const prefix = pick(PREFIXES);
    if (revision < model.floor) {
      await assert.rejects(store.since(prefix, revision, 10), CompactedError);
      return;
    }
    const expected = model.log
      .filter((entry) => entry.modified > revision && entry.key.startsWith(prefix))
      .map((entry) => `${entry.type} ${plainEntry(entry)}`);
    const limit = 1 + below(expected.length + 5);
    const got = (await store.since(prefix, revision, limit)).map(plainEvent);
    if (lazyShare === 0) assert.deepEqual(got, expected.slice(0, limit));
    else
      assert.deepEqual(
        got.filter((one) => !expected.includes(one)),
        [],
      );
  };

  const compact = async (): Promise<void> => {
    const revision = model.floor + below((model.revision - model.floor) / 2 + 1);
    await store.compact(revision);
    model.floor = Math.max(model.floor, revision);
  };

  const reopen = async (): Promise<void> => {
    await store.close();
    store = await open();
    subscribe();
    assert.equal(store.revision, model.revision);
  };

  for (let step = 0; step < steps; step++) {
    const action = pick([writes, writes, writes, writes, get, get, list, list, since, compact]);
    await (random() < 0.005 ? reopen : action)();
  }
  await reopen();
  assert.deepEqual((await store.list('')).kvs.map(plain), model.list('', model.revision).map(plainEntry));
  assert.deepEqual(
    seen,
    model.log.map((entry) => `${entry.type} ${plainEntry(entry)}`),
  );
  await store.close();
}

export interface ModelOptions {
  /** What lazy writes replaced may be gone. */
  readonly coalesces: boolean;
  /** Writes of different keys that are made together get their revisions in the order in which they were asked for. */
  readonly ordered: boolean;
}

/** Random operations on a datastore against the model. */
export function modelContract(name: string, make: MakeStore, options: ModelOptions): void {
  for (const [durability, lazyShare] of [
    ['durable', 0],
    ['mostly lazy', 0.8],
  ] as const) {
    if (lazyShare > 0 && !options.coalesces) continue;
    for (const seed of [1, 2]) {
      test(`${name}: random operations agree with a model: ${durability} writes, seed ${seed}`, async (t) => {
        const made = await make(t);
        await run(() => made.open(), seed, options.ordered ? 600 : 200, lazyShare, options.ordered);
      });
    }
  }
}

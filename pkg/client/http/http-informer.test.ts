import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ConfigMap } from '../../api/generated/core-v1.ts';
import { configMaps } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { FakeClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import type { ListResult } from '../client.ts';
import type { InformerEvent } from '../informer.ts';
import { UnreachableError } from './answer-error.ts';
import { HttpInformer, type InformerTransport } from './http-informer.ts';

const STALL_MS = 60_000;

/** One watch as the server sees it. */
class Played {
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
  readonly #onData: (chunk: Buffer) => void;
  readonly #settle: PromiseWithResolvers<void>;

  constructor(path: string, onData: (chunk: Buffer) => void, signal: AbortSignal, settle: PromiseWithResolvers<void>) {
    this.query = new URL(path, 'https://x').searchParams;
    this.signal = signal;
    this.#onData = onData;
    this.#settle = settle;
    signal.addEventListener('abort', () => settle.resolve());
  }

  raw(text: string): void {
    try {
      this.#onData(Buffer.from(text));
    } catch (error) {
      this.#settle.reject(error);
    }
  }

  send(type: string, object: object): void {
    this.raw(`${JSON.stringify({ type, object })}\n`);
  }

  initialEnd(version: number): void {
    const metadata = { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } };
    this.send('BOOKMARK', { metadata });
  }

  end(): Promise<void> {
    this.#settle.resolve();
    return settled();
  }

  fail(error: Error): Promise<void> {
    this.#settle.reject(error);
    return settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let clock: FakeClock;
let watches: Played[];
let lists: number;
let listed: ListResult<KubeObject>;
let connected: Set<() => void>;
let informer: HttpInformer<ConfigMap>;
let told: string[];
let complaints: string[];

const transport: InformerTransport = {
  stream(path, onData, signal) {
    const settle = Promise.withResolvers<void>();
    watches.push(new Played(path, onData, signal, settle));
    return settle.promise;
  },
  async list<T extends KubeObject>() {
    lists += 1;
    return listed as ListResult<T>;
  },
  onConnect(listener) {
    connected.add(listener);
    return () => connected.delete(listener);
  },
};

function object(name: string, version: number, uid = `uid-${name}`): ConfigMap {
  return { metadata: { name, namespace: 'ns', uid, resourceVersion: String(version) } } as ConfigMap;
}

function note({ type, object: { metadata } }: InformerEvent<ConfigMap>): void {
  told.push(`${type} ${metadata.name}@${metadata.resourceVersion}`);
}

function latest(): Played {
  const watch = watches.at(-1);
  assert.ok(watch);
  return watch;
}

async function begin(...objects: ConfigMap[]): Promise<void> {
  for (const one of objects) latest().send('ADDED', one);
  latest().initialEnd(10);
  await informer.synced();
  told.length = 0;
}

beforeEach(() => {
  clock = new FakeClock();
  watches = [];
  lists = 0;
  connected = new Set();
  told = [];
  complaints = [];
  informer = new HttpInformer<ConfigMap>({
    type: configMaps,
    selector: { namespace: 'ns' },
    transport,
    clock,
    random: () => 0.5,
    log: createLogger({ level: 'warn', write: (line) => complaints.push(line), now: () => new Date(0) }),
    stallMs: STALL_MS,
    freeze: true,
    signal: new AbortController().signal,
  });
  informer.subscribe(note);
});

afterEach(() => informer.stop());

test('begins with the objects there are, told when they are complete', async () => {
  const { query } = latest();
  assert.equal(query.get('sendInitialEvents'), 'true');
  assert.equal(query.get('resourceVersionMatch'), 'NotOlderThan');
  assert.equal(query.get('allowWatchBookmarks'), 'true');
  assert.equal(query.get('timeoutSeconds'), '450');
  latest().send('ADDED', object('a', 1));
  latest().send('ADDED', object('b', 2));
  assert.deepEqual([told, informer.list()], [[], []]);
  latest().initialEnd(9);
  await informer.synced();
  assert.deepEqual(told, ['added a@1', 'added b@2']);
  latest().send('MODIFIED', object('a', 11));
  latest().send('DELETED', object('b', 12));
  latest().send('DELETED', object('never-seen', 13));
  assert.deepEqual(told.slice(2), ['modified a@11', 'deleted b@12']);
  assert.deepEqual([informer.get('a', 'ns')?.metadata.resourceVersion, informer.list('other').length], ['11', 0]);
  const late: string[] = [];
  informer.subscribe(({ type, object: { metadata } }) => late.push(`${type} ${metadata.name}`))();
  assert.deepEqual(late, ['added a']);
  const held = informer.get('a', 'ns');
  assert.throws(() => Object.assign(held?.metadata ?? {}, { name: 'x' }), TypeError);
});

test('comes back with the last version it saw and takes replays for nothing', async () => {
  await begin(object('a', 1));
  latest().send('MODIFIED', object('a', 11));
  latest().raw('{"type":"MODIFIED","object":{"metadata":{"name":"a","nam');
  await latest().end();
  assert.equal(watches.length, 2);
  assert.equal(latest().query.get('resourceVersion'), '11');
  assert.equal(latest().query.get('sendInitialEvents'), null);
  latest().send('MODIFIED', object('a', 11));
  latest().send('ADDED', object('c', 12));
  latest().send('BOOKMARK', { metadata: { resourceVersion: '30' } });
  await latest().end();
  assert.equal(latest().query.get('resourceVersion'), '30');
  assert.deepEqual(told, ['modified a@11', 'added c@12']);
});

test('when its version is gone it reads everything and tells the differences', async () => {
  await begin(object('same', 1), object('changed', 2), object('gone', 3), object('remade', 4));
  const held = informer.get('same', 'ns');
  latest().send('ERROR', statusErrors.expired('too old resource version').status);
  await settled();
  assert.deepEqual([watches.length, latest().query.get('sendInitialEvents')], [2, 'true']);
  assert.equal(latest().query.get('resourceVersion'), '10');
  for (const one of [object('same', 1), object('changed', 20), object('remade', 21, 'other'), object('new', 22)]) {
    latest().send('ADDED', one);
  }
  latest().initialEnd(25);
  assert.deepEqual(told, [
    'deleted gone@3',
    'deleted remade@4',
    'modified changed@20',
    'added remade@21',
    'added new@22',
  ]);
  assert.equal(informer.get('same', 'ns'), held);
});

test('a first list that breaks off leaves nothing behind', async () => {
  latest().send('ADDED', object('a', 1));
  await latest().fail(new UnreachableError('reset'));
  await clock.advance(10_000);
  assert.equal(watches.length, 2);
  assert.deepEqual(informer.list(), []);
  latest().send('ADDED', object('b', 2));
  latest().initialEnd(3);
  assert.deepEqual(told, ['added b@2']);
});

test('lists where initial events are not served', async () => {
  listed = { items: [object('a', 1)], resourceVersion: '5' };
  await latest().fail(statusErrors.badRequest('sendInitialEvents is forbidden'));
  await informer.synced();
  await settled();
  assert.deepEqual([lists, told, latest().query.get('resourceVersion')], [1, ['added a@1'], '5']);
  latest().send('ERROR', statusErrors.gone('gone').status);
  await settled();
  await settled();
  assert.equal(lists, 2);
});

test('a refusal is retried ever more slowly and told once', async () => {
  const refusal = statusErrors.forbidden(configMaps, '', 'no');
  await latest().fail(refusal);
  const at: number[] = [];
  for (let tries = 0; tries < 10; tries++) {
    const before = watches.length;
    const began = clock.now();
    while (watches.length === before) await clock.advance(50);
    at.push(clock.now() - began);
    await latest().fail(refusal);
  }
  assert.deepEqual(at, [150, 300, 600, 1200, 2400, 4800, 9600, 19200, 22500, 22500]);
  assert.equal(complaints.length, 1);
});

test('a silent watch is broken off, a server that is back wakes at once', async () => {
  await begin(object('a', 1));
  const first = latest();
  await clock.advance(STALL_MS - 1);
  first.raw(' ');
  await clock.advance(STALL_MS - 1);
  assert.equal(first.signal.aborted, false);
  await clock.advance(2);
  assert.equal(first.signal.aborted, true);
  await clock.advance(1000);
  assert.equal(latest().query.get('resourceVersion'), '10');
  for (let tries = 0; tries < 8; tries++) {
    await latest().fail(new UnreachableError('refused'));
    if (tries < 7) await clock.advance(10_000);
  }
  const before = watches.length;
  await clock.advance(1000);
  assert.equal(watches.length, before);
  for (const listener of [...connected]) listener();
  await clock.advance(150);
  assert.equal(watches.length, before + 1);
  assert.equal(latest().query.get('resourceVersion'), '10');
});

test('a cluster that went back to an earlier version is read anew after a while', async () => {
  await begin(object('a', 1));
  await latest().end();
  for (let tries = 0; tries < 5; tries++) {
    assert.equal(latest().query.get('resourceVersion'), '10');
    latest().send('ERROR', statusErrors.tooLargeResourceVersion(10, 4).status);
    await clock.advance(30_000);
  }
  assert.equal(latest().query.get('resourceVersion'), null);
  latest().send('ADDED', object('a', 1));
  latest().initialEnd(4);
  await latest().end();
  assert.deepEqual([told, latest().query.get('resourceVersion')], [[], '4']);
});

test('nonsense in the stream and handlers that throw do not end it', async () => {
  await begin(object('a', 1));
  informer.subscribe(() => {
    throw new Error('faulty');
  });
  latest().raw('nonsense\n');
  await clock.advance(1000);
  assert.deepEqual([watches.length, latest().query.get('resourceVersion')], [2, '10']);
  latest().send('ADDED', object('b', 11));
  assert.deepEqual(told, ['added b@11']);
  latest().send('ODD', object('b', 12));
  await clock.advance(1000);
  assert.equal(watches.length, 3);
});

test('memory holds one copy of the objects, however often they change and are read anew', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = async (): Promise<number> => {
    await settled();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const COUNT = 50;
  const payload = 'x'.repeat(64 * 1024);
  let version = 10;
  const line = (index: number): string => {
    const { metadata } = object(`o${index}`, ++version);
    return `${JSON.stringify({ type: 'MODIFIED', object: { metadata, data: { payload: `${version}${payload}` } } })}\n`;
  };
  await begin();
  for (let index = 0; index < COUNT; index++) latest().raw(line(index));
  const before = await heap();
  for (let round = 0; round < 20; round++) for (let index = 0; index < COUNT; index++) latest().raw(line(index));
  latest().send('ERROR', statusErrors.gone('gone').status);
  await settled();
  for (let index = 0; index < COUNT; index++) latest().raw(line(index));
  latest().initialEnd(version);
  const grown = (await heap()) - before;
  assert.equal(informer.list().length, COUNT);
  assert.ok(grown < 1024 * 1024, `${grown} bytes more after ${version} events`);
});

test('a stopped informer asks and tells no more', async () => {
  const waiting = assert.rejects(informer.synced(), /stopped/);
  informer.stop();
  await waiting;
  latest().initialEnd(1);
  await clock.advance(60_000);
  assert.deepEqual([watches.length, told], [1, []]);
});

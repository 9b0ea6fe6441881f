/** What a remote client's informers make of a server that ends and comes back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConfigMap } from '../../../pkg/api/generated/core-v1.ts';
import { configMaps, namespaces } from '../../../pkg/api/resources.ts';
import type { Client } from '../../../pkg/client/client.ts';
import { UnreachableError } from '../../../pkg/client/http/answer-error.ts';
import type { HttpClient } from '../../../pkg/client/http/http-client.ts';
import { ApiWorld } from './api-world.ts';

let world: ApiWorld;
let http: HttpClient;

before(async () => {
  world = await ApiWorld.start();
  http = await world.http();
  await world.inProcess.create(namespaces, { metadata: { name: 'ns' } });
});

after(() => world.stop());

async function until(done: () => boolean, what: string): Promise<number> {
  const began = Date.now();
  while (!done()) {
    assert.ok(Date.now() - began < 20_000, `not in time: ${what}`);
    await delay(10);
  }
  return Date.now() - began;
}

function make(client: Client, name: string, v: string): Promise<ConfigMap> {
  return client.create(configMaps, { metadata: { name, namespace: 'ns' }, data: { v } });
}

test('a restart in the middle of a watch: every event once, in order', async () => {
  const told: string[] = [];
  await make(world.inProcess, 'before', '0');
  const informer = http.informer(configMaps, { namespace: 'ns' });
  await informer.synced();
  informer.subscribe(({ type, object }) => told.push(`${type} ${object.metadata.name} ${object.data?.['v']}`));
  const expected = ['added before 0'];
  for (let round = 1; round <= 3; round++) {
    const set = (v: string): Promise<ConfigMap> =>
      world.inProcess.patch(configMaps, 'before', { type: 'merge', body: { data: { v } } }, { namespace: 'ns' });
    // Right before the end: some of it may not have been sent.
    for (let step = 0; step < 5; step++) await set(`${round}.${step}`);
    await make(world.inProcess, `r${round}`, 'x');
    await world.down();
    await assert.rejects(http.get(configMaps, 'before', 'ns'), UnreachableError);
    await world.up();
    // Before the informer is back: these it has to catch up with.
    await world.inProcess.delete(configMaps, `r${round}`, { namespace: 'ns' });
    await make(world.inProcess, `r${round}`, 'again');
    for (let step = 0; step < 5; step++) expected.push(`modified before ${round}.${step}`);
    expected.push(`added r${round} x`, `deleted r${round} x`, `added r${round} again`);
    await until(() => told.length >= expected.length, `round ${round}: ${told.join(', ')}`);
  }
  await make(world.inProcess, 'last', 'x');
  await until(() => told.at(-1) === 'added last x', 'the last event');
  assert.deepEqual(told, [...expected, 'added last x']);
});

test('fifty informers share a connection and come back together', async () => {
  const names = Array.from({ length: 50 }, (_, index) => `many-${index}`);
  const informers = names.map((name) => http.informer(configMaps, { namespace: 'ns', labelSelector: `name=${name}` }));
  await Promise.all(informers.map((informer) => informer.synced()));
  await world.down();
  await delay(1000);
  await world.up();
  for (const name of names) {
    await world.inProcess.create(configMaps, { metadata: { name, namespace: 'ns', labels: { name } } });
  }
  const ms = await until(() => informers.every((informer) => informer.list().length === 1), 'all informers are back');
  assert.ok(ms < 10_000, `${ms} ms`);
  assert.deepEqual(
    informers.map((informer) => informer.list()[0]?.metadata.name),
    names,
  );
});

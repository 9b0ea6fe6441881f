import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { ConfigMap } from '../../api/generated/core-v1.ts';
import type { OwnerReference } from '../../api/generated/meta-v1.ts';
import { configMaps, nodes } from '../../api/resources.ts';
import { apiVersionOf, type ResourceType } from '../../api/types.ts';
import type { MemoryClient } from '../../client/testing/memory-client.ts';
import { createWorld, type World } from '../testing/harness.ts';
import { createGarbageCollector } from './garbage-collector.ts';
import type { MetadataSource } from './metadata-source.ts';

function sourceOf(client: MemoryClient, types: readonly ResourceType[]): MetadataSource {
  return {
    synced: () => Promise.resolve(),
    subscribe(handler) {
      const unsubscribers = types.map((resource) =>
        client.informer(resource).subscribe(({ type, object }) => handler({ type, object, resource })),
      );
      return () => {
        for (const unsubscribe of unsubscribers) unsubscribe();
      };
    },
    resourceFor: (apiVersion, kind) => types.find((type) => type.kind === kind && apiVersionOf(type) === apiVersion),
  };
}

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createGarbageCollector(world, sourceOf(world.client, [configMaps, nodes])));
});
afterEach(() => world.stop());

const ref = ({ metadata }: ConfigMap, blockOwnerDeletion = false): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: metadata.name,
  uid: metadata.uid,
  ...(blockOwnerDeletion && { blockOwnerDeletion }),
});
const make = (name: string, owners: OwnerReference[] = [], more: object = {}): Promise<ConfigMap> =>
  world.client.create(configMaps, { metadata: { name, namespace: 'n', ownerReferences: owners, ...more } });
const names = (): string[] => world.client.objects(configMaps).map(({ metadata }) => metadata.name);
const remove = (name: string, propagationPolicy: 'Background' | 'Foreground' | 'Orphan'): Promise<void> =>
  world.client.delete(configMaps, name, { namespace: 'n', propagationPolicy });

test('background: dependents follow, down to grandchildren', async () => {
  const owner = await make('owner');
  const child = await make('child', [ref(owner)]);
  await make('grandchild', [ref(child)]);
  await make('other');
  await world.settle();
  assert.equal(names().length, 4);
  await remove('owner', 'Background');
  await world.settle();
  assert.deepEqual(names(), ['other']);
});

test('foreground: the owner waits for what blocks it', async () => {
  const owner = await make('owner');
  await make('held', [ref(owner, true)], { finalizers: ['example.com/hold'] });
  await make('free', [ref(owner, true)]);
  await remove('owner', 'Foreground');
  await world.settle();
  assert.deepEqual(names(), ['owner', 'held']);
  await world.client.patch(
    configMaps,
    'held',
    { type: 'merge', body: { metadata: { finalizers: null } } },
    {
      namespace: 'n',
    },
  );
  await world.settle();
  assert.deepEqual(names(), []);
});

test('foreground through two levels: each waits for its own', async () => {
  const owner = await make('owner');
  const child = await make('child', [ref(owner, true)]);
  await make('grandchild', [ref(child, true)], { finalizers: ['example.com/hold'] });
  await remove('owner', 'Foreground');
  await world.settle();
  assert.deepEqual(names(), ['owner', 'child', 'grandchild']);
  await world.client.patch(
    configMaps,
    'grandchild',
    { type: 'merge', body: { metadata: { finalizers: null } } },
    {
      namespace: 'n',
    },
  );
  await world.settle();
  assert.deepEqual(names(), []);
});

test('orphan: dependents stay, without the reference', async () => {
  const owner = await make('owner');
  await make('child', [ref(owner)]);
  await remove('owner', 'Orphan');
  await world.settle();
  assert.deepEqual(names(), ['child']);
  assert.equal((await world.client.get(configMaps, 'child', 'n')).metadata.ownerReferences, undefined);
});

test('an owner that never was, or whose name another has taken, takes the dependent with it', async () => {
  const imposter = await make('imposter');
  await make('lost', [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: 'u1' }]);
  await make('confused', [{ ...ref(imposter), uid: 'u2' }]);
  await world.settle();
  assert.deepEqual(names(), ['imposter']);
});

test('one owner of two goes: only the reference to it goes', async () => {
  const one = await make('one');
  const two = await make('two');
  await make('child', [ref(one), ref(two)]);
  await remove('one', 'Background');
  await world.settle();
  assert.deepEqual(
    (await world.client.get(configMaps, 'child', 'n')).metadata.ownerReferences?.map(({ name }) => name),
    ['two'],
  );
});

test('an owner in another namespace is none, and is told of', async () => {
  const owner = await make('owner');
  await make('sibling', [ref(owner)]);
  await world.client.create(configMaps, {
    metadata: { name: 'stray', namespace: 'm', ownerReferences: [ref(owner)] },
  });
  await world.settle();
  assert.deepEqual(names(), ['owner', 'sibling']);
  const identity = `[v1/ConfigMap, namespace: m, name: owner, uid: ${owner.metadata.uid}]`;
  assert.ok(world.events.includes(`OwnerRefInvalidNamespace: ownerRef ${identity} does not exist in namespace "m"`));
});

test('a stray reference does not take the siblings along', async () => {
  const owner = await make('owner');
  await world.client.create(configMaps, {
    metadata: { name: 'stray', namespace: 'm', ownerReferences: [ref(owner)] },
  });
  await world.settle();
  await make('child', [ref(owner)]);
  await world.settle();
  assert.deepEqual(names(), ['owner', 'child']);
});

test('a stray reference that comes at the same time does not hide the owner from its children', async () => {
  const owner = await make('owner');
  await world.client.create(configMaps, {
    metadata: { name: 'stray', namespace: 'm', ownerReferences: [ref(owner)] },
  });
  await make('child', [ref(owner)]);
  await world.settle();
  assert.deepEqual(names(), ['owner', 'child']);
  await remove('owner', 'Background');
  await world.settle();
  assert.deepEqual(names(), []);
});

test('a dependent of an unknown kind of owner stays', async () => {
  await make('child', [{ apiVersion: 'example.com/v1', kind: 'Gone', name: 'x', uid: 'u' }]);
  await world.settle();
  assert.deepEqual(names(), ['child']);
});

test('two that own each other and wait for each other do not wait for ever', async () => {
  const a = await make('a');
  const b = await make('b', [ref(a, true)]);
  await world.client.patch(
    configMaps,
    'a',
    { type: 'merge', body: { metadata: { ownerReferences: [ref(b, true)] } } },
    {
      namespace: 'n',
    },
  );
  await remove('a', 'Foreground');
  await world.settle();
  assert.deepEqual(names(), []);
});

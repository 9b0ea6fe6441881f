import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { pods, replicaSets } from '../../api/resources.ts';
import { controllerOf } from '../../apimachinery/object-meta.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { createWorld, makeReady, replicaSet, type World } from '../testing/harness.ts';
import { createReplicaSetController } from './replicaset.ts';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createReplicaSetController(world));
});
afterEach(() => world.stop());

const status = async (name = 'rs') => (await world.client.get(replicaSets, name, 'n')).status;

test('makes the Pods and reports them', async () => {
  await world.client.create(replicaSets, replicaSet('rs', 3));
  await world.settle();
  const made = world.client.objects(pods);
  assert.equal(made.length, 3);
  assert.ok(made.every(({ metadata }) => metadata.name.startsWith('rs-') && metadata.generateName === 'rs-'));
  assert.equal(controllerOf(made[0] ?? assert.fail())?.kind, 'ReplicaSet');
  assert.deepEqual(await status(), { replicas: 3, fullyLabeledReplicas: 3, observedGeneration: 1 });
  await makeReady(world);
  const { readyReplicas, availableReplicas } = await status();
  assert.deepEqual({ readyReplicas, availableReplicas }, { readyReplicas: 3, availableReplicas: 3 });
  assert.equal(world.events.filter((event) => event.startsWith('SuccessfulCreate: Created pod: rs-')).length, 3);
});

test('replaces a deleted Pod, and shrinks', async () => {
  const set = await world.client.create(replicaSets, replicaSet('rs', 2));
  await world.settle();
  const [first] = world.client.objects(pods);
  await world.client.delete(pods, first?.metadata.name ?? '', { namespace: 'n' });
  await world.settle();
  assert.equal(world.client.objects(pods).length, 2);
  await world.client.patch(replicaSets, 'rs', { type: 'merge', body: { spec: { replicas: 0 } } }, { namespace: 'n' });
  await world.settle();
  assert.deepEqual(world.client.objects(pods), []);
  assert.deepEqual(await status(), { replicas: 0, observedGeneration: (set.metadata.generation ?? 0) + 1 });
});

test('adopts a matching orphan and releases a Pod that no longer matches', async () => {
  const labels = { app: 'a' };
  await world.client.create(pods, { metadata: { name: 'orphan', namespace: 'n', labels }, spec: {}, status: {} });
  await world.client.create(replicaSets, replicaSet('rs', 2));
  await world.settle();
  assert.equal(world.client.objects(pods).length, 2);
  const orphan = await world.client.get(pods, 'orphan', 'n');
  assert.equal(controllerOf(orphan)?.name, 'rs');
  await world.client.patch(
    pods,
    'orphan',
    { type: 'merge', body: { metadata: { labels: { app: 'b' } } } },
    {
      namespace: 'n',
    },
  );
  await world.settle();
  assert.equal(controllerOf(await world.client.get(pods, 'orphan', 'n')), undefined);
  assert.equal(world.client.objects(pods).length, 3);
});

test('available only after minReadySeconds, without polling', async () => {
  const set = replicaSet('rs', 1);
  await world.client.create(replicaSets, { ...set, spec: { ...set.spec, minReadySeconds: 10 } });
  await world.settle();
  await makeReady(world);
  assert.equal((await status()).availableReplicas, undefined);
  await world.clock.advance(10_000);
  await world.settle();
  assert.equal((await status()).availableReplicas, 1);
});

test('a refused creation becomes a condition and goes again once it works', async () => {
  const { create } = world.client;
  let refused = 0;
  world.client.create = async (type, object) => {
    if (type.kind === 'Pod' && refused++ < 5) throw statusErrors.forbidden(type, '', 'exceeded quota');
    return create.call(world.client, type, object) as never;
  };
  await world.client.create(replicaSets, replicaSet('rs', 50));
  await world.clock.advance(1);
  assert.ok(refused <= 2, 'one Pod is tried, not fifty');
  assert.equal((await status()).conditions?.[0]?.message, 'pods is forbidden: exceeded quota');
  await world.clock.advance(10_000);
  assert.equal(world.client.objects(pods).length, 50);
  assert.equal((await status()).conditions, undefined);
});

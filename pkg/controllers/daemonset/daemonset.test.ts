import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { controllerRevisions, daemonSets, nodes, pods } from '../../api/resources.ts';
import { addNode, createWorld, daemonSet, makeReady, type World } from '../testing/harness.ts';
import { REVISION_HASH, targetNode } from './daemon-pod.ts';
import { createDaemonSetController } from './daemonset.ts';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createDaemonSetController(world));
  for (const name of ['a', 'b', 'c']) await addNode(world, name);
});
afterEach(() => world.stop());

const status = async () => (await world.client.get(daemonSets, 'ds', 'n')).status;
const images = (): (string | undefined)[] => world.client.objects(pods).map(({ spec }) => spec.containers[0]?.image);
const setImage = async (image: string): Promise<void> => {
  const template = { spec: { containers: [{ name: 'c', image }] } };
  await world.client.patch(daemonSets, 'ds', { type: 'merge', body: { spec: { template } } }, { namespace: 'n' });
  await world.settle();
};

test('a Pod on each node, also on those that come and go', async () => {
  await world.client.create(daemonSets, daemonSet());
  await world.settle();
  assert.deepEqual(world.client.objects(pods).map(targetNode).sort(), ['a', 'b', 'c']);
  await addNode(world, 'd');
  await world.settle();
  assert.equal((await status()).currentNumberScheduled, 4);
  await world.client.delete(nodes, 'd');
  await world.settle();
  assert.deepEqual(world.client.objects(pods).map(targetNode).sort(), ['a', 'b', 'c']);
  await makeReady(world);
  assert.equal((await status()).numberAvailable, 3);
});

test('a new template goes over the nodes one by one, and its history is kept', async () => {
  await world.client.create(daemonSets, daemonSet({ revisionHistoryLimit: 1 }));
  await world.settle();
  await makeReady(world);
  await setImage('app:2');
  assert.equal(images().filter((image) => image === 'app:2').length, 1);
  assert.equal((await status()).updatedNumberScheduled, 1);
  for (let round = 0; round < 3; round++) await makeReady(world);
  assert.deepEqual(images(), ['app:2', 'app:2', 'app:2']);
  await setImage('app:3');
  for (let round = 0; round < 3; round++) await makeReady(world);
  const revisions = world.client.objects(controllerRevisions);
  assert.deepEqual(
    revisions.map(({ revision }) => revision),
    [2, 3],
  );
  const [pod] = world.client.objects(pods);
  assert.equal(pod?.metadata.labels?.[REVISION_HASH], revisions[1]?.metadata.labels?.[REVISION_HASH]);
  await setImage('app:2');
  assert.deepEqual(
    world.client.objects(controllerRevisions).map(({ revision }) => revision),
    [4, 3],
    'a template that comes back is the newest',
  );
});

test('a failed Pod is replaced, again and again more slowly', async () => {
  await world.client.create(
    daemonSets,
    daemonSet({ template: { metadata: { labels: { app: 'a' } }, spec: { nodeName: 'a', containers: [] } } }),
  );
  await world.settle();
  const fail = async (): Promise<void> => {
    const [pod] = world.client.objects(pods);
    if (pod !== undefined) await world.client.update(pods, { ...pod, spec: { ...pod.spec, nodeName: 'a' } });
    const [bound] = world.client.objects(pods);
    if (bound !== undefined) {
      await world.client.update(pods, { ...bound, status: { phase: 'Failed' } }, { subresource: 'status' });
    }
  };
  const failures = (): number => world.events.filter((event) => event.startsWith('FailedDaemonPod')).length;
  await fail();
  await world.settle();
  assert.equal(failures(), 1);
  for (const pod of world.client.objects(pods))
    await world.client.delete(pods, pod.metadata.name, { namespace: 'n', gracePeriodSeconds: 0 });
  await world.settle();
  await fail();
  assert.equal(failures(), 1, 'left alone for a second');
  await world.clock.advance(1000);
  assert.equal(failures(), 2);
});

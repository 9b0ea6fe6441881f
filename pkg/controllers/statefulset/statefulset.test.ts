import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../api/resources.ts';
import type { ResourceType } from '../../api/types.ts';
import { createWorld, makeReady, statefulSet, type World } from '../testing/harness.ts';
import { createStatefulSetController } from './statefulset.ts';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createStatefulSetController(world));
});
afterEach(() => world.stop());

const names = (type: ResourceType): string[] =>
  world.client
    .objects(type)
    .map(({ metadata }) => metadata.name)
    .sort();
const images = (): (string | undefined)[] =>
  world.client
    .objects(pods)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map(({ spec }) => spec.containers[0]?.image);
const patch = async (spec: object): Promise<void> => {
  await world.client.patch(statefulSets, 'db', { type: 'strategic', body: { spec } }, { namespace: 'n' });
  await world.settle();
};
const setImage = (image: string) => patch({ template: { spec: { containers: [{ name: 'c', image }] } } });
const claim = (name: string) => ({ metadata: { name }, spec: { accessModes: ['ReadWriteOnce'] } });
const settle = async (rounds: number): Promise<void> => {
  for (let round = 0; round < rounds; round++) await makeReady(world);
};

test('one after the other, each with its name and its claims', async () => {
  await world.client.create(statefulSets, statefulSet(2, { volumeClaimTemplates: [claim('data')] }));
  await world.settle();
  assert.deepEqual(names(pods), ['db-0']);
  await settle(2);
  assert.deepEqual(names(pods), ['db-0', 'db-1']);
  assert.deepEqual(names(persistentVolumeClaims), ['data-db-0', 'data-db-1']);
  const [pod] = world.client.objects(pods);
  assert.deepEqual([pod?.spec.hostname, pod?.spec.subdomain], ['db-0', 'db']);
  assert.deepEqual(pod?.spec.volumes, [{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } }]);
  assert.equal(pod?.metadata.labels?.['apps.kubernetes.io/pod-index'], '0');
  assert.deepEqual(world.events.slice(0, 2), [
    'SuccessfulCreate: create Claim data-db-0 Pod db-0 in StatefulSet db success',
    'SuccessfulCreate: create Pod db-0 in StatefulSet db successful',
  ]);
});

test('a lost Pod comes back under its name; a smaller set keeps its claims', async () => {
  await world.client.create(statefulSets, statefulSet(2, { volumeClaimTemplates: [claim('data')] }));
  await settle(3);
  const before = world.client.objects(pods).find(({ metadata }) => metadata.name === 'db-0')?.metadata.uid;
  await world.client.delete(pods, 'db-0', { namespace: 'n' });
  await world.settle();
  assert.notEqual((await world.client.get(pods, 'db-0', 'n')).metadata.uid, before);
  await settle(1);
  await patch({ replicas: 0 });
  assert.deepEqual(names(pods), []);
  assert.deepEqual(names(persistentVolumeClaims), ['data-db-0', 'data-db-1']);
});

test('claims go with whom the policy says', async () => {
  const persistentVolumeClaimRetentionPolicy = { whenDeleted: 'Delete', whenScaled: 'Delete' };
  const volumeClaimTemplates = [claim('data')];
  await world.client.create(
    statefulSets,
    statefulSet(2, { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy }),
  );
  await settle(3);
  const owners = (name: string): string[] | undefined =>
    world.client
      .objects(persistentVolumeClaims)
      .find(({ metadata }) => metadata.name === name)
      ?.metadata.ownerReferences?.map(({ kind }) => kind);
  assert.deepEqual(owners('data-db-1'), ['StatefulSet']);
  await patch({ replicas: 1 });
  assert.deepEqual([owners('data-db-0'), owners('data-db-1')], [['StatefulSet'], ['Pod']]);
});

test('rolls backwards to the partition, and back', async () => {
  await world.client.create(
    statefulSets,
    statefulSet(3, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } }),
  );
  await settle(4);
  await setImage('app:2');
  assert.deepEqual(images(), ['app:1', 'app:1', 'app:2']);
  await settle(3);
  assert.deepEqual(images(), ['app:1', 'app:2', 'app:2']);
  await world.client.delete(pods, 'db-0', { namespace: 'n' });
  await settle(1);
  assert.deepEqual(images(), ['app:1', 'app:2', 'app:2'], 'below the partition the old template is used');
  await patch({ updateStrategy: { rollingUpdate: { partition: 0 } } });
  await settle(3);
  const { status } = await world.client.get(statefulSets, 'db', 'n');
  assert.equal(status.currentRevision, status.updateRevision);
  await setImage('app:1');
  await settle(5);
  assert.deepEqual(images(), ['app:1', 'app:1', 'app:1']);
  assert.deepEqual(
    world.client.objects(controllerRevisions).map(({ revision }) => revision),
    [3, 2],
  );
});

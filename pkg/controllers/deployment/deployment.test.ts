import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Deployment } from '../../api/generated/apps-v1.ts';
import { deployments, pods, replicaSets } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { createReplicaSetController } from '../replicaset/replicaset.ts';
import { createWorld, deployment, makeReady, type World } from '../testing/harness.ts';
import { createDeploymentController } from './deployment.ts';

const REVISION = 'deployment.kubernetes.io/revision';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createReplicaSetController(world));
  await world.run(createDeploymentController(world));
});
afterEach(() => world.stop());

const get = () => world.client.get(deployments, 'd', 'n');
const sets = () => world.client.objects(replicaSets);
const condition = async (type: string) => (await get()).status.conditions?.find((found) => found.type === type);

async function patch(body: Input<Partial<Deployment>>): Promise<void> {
  await world.client.patch(deployments, 'd', { type: 'merge', body }, { namespace: 'n' });
  await world.settle();
}

const image = (name: string): Input<Partial<Deployment>> => ({
  spec: { template: { spec: { containers: [{ name: 'c', image: name }] } } } as Input<Deployment['spec']>,
});

async function rollOut(): Promise<void> {
  for (let round = 0; round < 10; round++) await makeReady(world);
}

test('creates its ReplicaSet and reports until complete', async () => {
  await world.client.create(deployments, deployment(2));
  await world.settle();
  const [set] = sets();
  assert.ok(set !== undefined);
  assert.match(set.metadata.name, /^d-[bcdfghjklmnpqrstvwxz2456789]+$/);
  assert.deepEqual(set.metadata.annotations, {
    'deployment.kubernetes.io/desired-replicas': '2',
    'deployment.kubernetes.io/max-replicas': '3',
    [REVISION]: '1',
  });
  assert.equal((await get()).metadata.annotations?.[REVISION], '1');
  let { conditions, ...counts } = (await get()).status;
  assert.deepEqual(counts, { observedGeneration: 1, replicas: 2, updatedReplicas: 2, unavailableReplicas: 2 });
  assert.deepEqual(
    conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    [
      ['Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'],
      ['Progressing', 'True', 'ReplicaSetUpdated', `ReplicaSet "${set.metadata.name}" is progressing.`],
    ],
  );
  await makeReady(world);
  ({ conditions, ...counts } = (await get()).status);
  assert.deepEqual(counts, {
    observedGeneration: 1,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 2,
  });
  assert.equal((await condition('Available'))?.reason, 'MinimumReplicasAvailable');
  assert.equal(
    (await condition('Progressing'))?.message,
    `ReplicaSet "${set.metadata.name}" has successfully progressed.`,
  );
  assert.ok(world.events.includes(`ScalingReplicaSet: Scaled up replica set ${set.metadata.name} from 0 to 2`));
});

test('rolls a new template out and back, keeping the history', async () => {
  await world.client.create(deployments, deployment(3));
  await world.settle();
  await rollOut();
  const first = sets()[0]?.metadata.name;
  await patch({ ...image('app:2'), metadata: { annotations: { 'kubernetes.io/change-cause': 'second' } } as never });
  assert.equal(sets().length, 2);
  await rollOut();
  assert.deepEqual(
    sets()
      .map(({ spec }) => spec.replicas)
      .sort(),
    [0, 3],
  );
  assert.equal((await get()).metadata.annotations?.[REVISION], '2');
  await patch(image('app:1'));
  await rollOut();
  const restored = sets().find(({ metadata }) => metadata.name === first);
  assert.equal(restored?.spec.replicas, 3);
  assert.equal(restored?.metadata.annotations?.[REVISION], '3');
  assert.equal(restored?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
  assert.equal(restored?.metadata.annotations?.['kubernetes.io/change-cause'], 'second');
  await patch({ spec: { revisionHistoryLimit: 0 } as never });
  assert.deepEqual(
    sets().map(({ metadata }) => metadata.name),
    [first],
  );
});

test('scaling keeps to the one ReplicaSet', async () => {
  await world.client.create(deployments, deployment(1));
  await world.settle();
  await rollOut();
  await patch({ spec: { replicas: 5 } as never });
  assert.equal(world.client.objects(pods).length, 5);
  assert.equal((await condition('Progressing'))?.reason, 'NewReplicaSetAvailable');
  await patch({ spec: { replicas: 0 } as never });
  assert.deepEqual(world.client.objects(pods), []);
  assert.equal(sets()[0]?.metadata.annotations?.['deployment.kubernetes.io/max-replicas'], '0');
});

test('paused: no rollout until resumed', async () => {
  await world.client.create(deployments, deployment(1));
  await world.settle();
  await rollOut();
  await patch({ spec: { paused: true } as never });
  assert.equal((await condition('Progressing'))?.message, 'Deployment is paused');
  await patch(image('app:2'));
  assert.equal(sets().length, 1);
  await patch({ spec: { paused: false } as never });
  assert.equal(sets().length, 2);
  await rollOut();
  assert.equal((await condition('Progressing'))?.reason, 'NewReplicaSetAvailable');
});

test('Recreate: nothing new before the last old Pod has gone', async () => {
  await world.client.create(deployments, deployment(2, { strategy: { type: 'Recreate' } }));
  await world.settle();
  for (const pod of world.client.objects(pods)) {
    await world.client.createSubresource(
      pods,
      pod.metadata.name,
      'binding',
      { target: { name: 'node' } },
      {
        namespace: 'n',
      },
    );
  }
  await rollOut();
  await patch(image('app:2'));
  assert.equal(sets().length, 1);
  assert.equal(world.client.objects(pods).length, 2);
  const [one, two] = world.client.objects(pods);
  await world.client.delete(pods, one?.metadata.name ?? '', { namespace: 'n', gracePeriodSeconds: 0 });
  await world.settle();
  assert.equal(sets().length, 1, 'one still terminates');
  await world.client.delete(pods, two?.metadata.name ?? '', { namespace: 'n', gracePeriodSeconds: 0 });
  await world.settle();
  assert.equal(sets().length, 2);
  assert.equal(world.client.objects(pods).length, 2);
});

test('a rollout that does not get on is called so after its deadline, by a timer alone', async () => {
  await world.client.create(deployments, deployment(1, { progressDeadlineSeconds: 30 }));
  await world.settle();
  await world.clock.advance(20_000);
  assert.equal((await condition('Progressing'))?.status, 'True');
  await world.clock.advance(20_000);
  const progressing = await condition('Progressing');
  assert.equal(progressing?.reason, 'ProgressDeadlineExceeded');
  assert.match(progressing?.message ?? '', /^ReplicaSet "d-\w+" has timed out progressing\.$/);
});

test('a hash that another template has taken is stepped over', async () => {
  await world.client.create(deployments, deployment(1));
  await world.settle();
  const [set] = sets();
  assert.ok(set !== undefined);
  await world.client.delete(deployments, 'd', { namespace: 'n' });
  const foreign = {
    ...set,
    metadata: { ...set.metadata, ownerReferences: undefined, labels: {}, resourceVersion: '' },
  };
  await world.client.update(replicaSets, foreign);
  await world.client.create(deployments, deployment(1));
  await world.settle();
  assert.equal((await get()).status.collisionCount, 1);
  assert.equal(sets().length, 2);
});

test('revisions have 64 bits', async () => {
  await world.client.create(deployments, deployment(1));
  await rollOut();
  const [first] = sets();
  const annotations = { [REVISION]: '3546343826724305832' };
  const noted = { type: 'merge', body: { metadata: { annotations } } } as const;
  await world.client.patch(replicaSets, first?.metadata.name ?? '', noted, { namespace: 'n' });
  await patch(image('app:2'));
  await rollOut();
  assert.equal((await get()).metadata.annotations?.[REVISION], '3546343826724305833');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import { deployments, podDisruptionBudgets, pods, replicaSets } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { createWorld, deployment, makeReady, replicaSet } from '../testing/harness.ts';
import { createDisruptionController } from './disruption.ts';
import { planBudget } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');

function pod(name: string, look: { ready?: boolean; deleted?: boolean } = {}): Pod {
  const { ready = true, deleted = false } = look;
  return {
    metadata: { name, uid: name, namespace: 'n', ...(deleted && { deletionTimestamp: formatTime(NOW) }) },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  } as unknown as Pod;
}

function budget(spec: object, disrupted?: Record<string, string>): PodDisruptionBudget {
  return {
    metadata: { name: 'b', namespace: 'n', generation: 2 },
    spec: { selector: {}, ...spec },
    status: { disruptedPods: disrupted },
  } as unknown as PodDisruptionBudget;
}

const three = [pod('a'), pod('b'), pod('c')];
const at = (secondsAgo: number): string => formatTime(NOW - secondsAgo * 1000);

const cases: [
  name: string,
  budget: PodDisruptionBudget,
  pods: Pod[],
  allowed: number,
  desired: number,
  expected: number,
][] = [
  ['a number that must stay', budget({ minAvailable: 2 }), three, 1, 2, 3],
  ['a share that must stay, rounded up', budget({ minAvailable: '50%' }), three, 1, 2, 4 - 1],
  ['a number that may go', budget({ maxUnavailable: 1 }), three, 1, 2, 3],
  ['a share that may go', budget({ maxUnavailable: '30%' }), three, 1, 2, 3],
  ['one is not ready', budget({ maxUnavailable: 1 }), [pod('a', { ready: false }), pod('b'), pod('c')], 0, 2, 3],
  ['one is going', budget({ minAvailable: 1 }), [pod('a', { deleted: true }), pod('b'), pod('c')], 1, 1, 3],
  ['one was evicted and is on its way', budget({ minAvailable: 1 }, { a: at(5) }), three, 1, 1, 3],
  ['one was evicted and stayed', budget({ minAvailable: 1 }, { a: at(150) }), three, 2, 1, 3],
  ['no Pods', budget({ minAvailable: 0 }), [], 0, 0, 0],
  ['nothing asked for', budget({}), three, 0, 0, 0],
];

for (const [name, guard, guarded, allowed, desired, expected] of cases) {
  test(`plan: ${name}`, () => {
    const view = { budget: guard, pods: guarded, expectedScale: () => guarded.length };
    const { status } = planBudget(view, NOW);
    assert.deepEqual(
      [status.disruptionsAllowed, status.desiredHealthy, status.expectedPods],
      [allowed, desired, expected],
    );
    assert.equal(status.conditions?.[0]?.reason, allowed > 0 ? 'SufficientPods' : 'InsufficientPods');
  });
}

test('an eviction is waited for two minutes', () => {
  const view = { pods: three, expectedScale: () => 3 };
  const waiting = planBudget({ ...view, budget: budget({ minAvailable: 1 }, { a: at(30) }) }, NOW);
  assert.equal(waiting.again, 90_000);
  assert.deepEqual(waiting.status.disruptedPods, { a: at(30) });
  const over = planBudget({ ...view, budget: budget({ minAvailable: 1 }, { a: at(130) }) }, NOW);
  assert.deepEqual(
    over.notDeleted.map(({ metadata }) => metadata.name),
    ['a'],
  );
  assert.equal(over.status.disruptedPods, undefined);
});

test('shares are of what the Deployment wants; Pods of nobody close the budget', async () => {
  const world = createWorld();
  await world.run(createDisruptionController(world));
  const owner = (kind: string, name: string, uid: string) => [
    { apiVersion: 'apps/v1', kind, name, uid, controller: true },
  ];
  const made = await world.client.create(deployments, deployment(4));
  const set = replicaSet('rs', 1);
  const owned = await world.client.create(replicaSets, {
    ...set,
    metadata: { ...set.metadata, ownerReferences: owner('Deployment', 'd', made.metadata.uid) },
  });
  const metadata = {
    namespace: 'n',
    labels: { app: 'a' },
    ownerReferences: owner('ReplicaSet', 'rs', owned.metadata.uid),
  };
  for (const name of ['a', 'b'])
    await world.client.create(pods, { metadata: { ...metadata, name }, spec: {} } as Input<Pod>);
  await world.client.create(podDisruptionBudgets, {
    metadata: { name: 'b', namespace: 'n' },
    spec: { minAvailable: '25%', selector: { matchLabels: { app: 'a' } } },
  });
  await makeReady(world);
  const status = async () => (await world.client.get(podDisruptionBudgets, 'b', 'n')).status;
  const { expectedPods, desiredHealthy, disruptionsAllowed } = await status();
  assert.deepEqual(
    { expectedPods, desiredHealthy, disruptionsAllowed },
    { expectedPods: 4, desiredHealthy: 1, disruptionsAllowed: 1 },
  );
  await world.client.delete(replicaSets, 'rs', { namespace: 'n' });
  await world.settle();
  const closed = await status();
  assert.equal(closed.disruptionsAllowed, 0);
  assert.equal(closed.conditions?.[0]?.reason, 'SyncFailed');
  await world.stop();
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Pod } from '../api/generated/core-v1.ts';
import { podDisruptionBudgets, pods } from '../api/resources.ts';
import type { Input } from '../api/types.ts';
import { addNode, createWorld, type World } from '../controllers/testing/harness.ts';
import { NodeInfo } from './node-info.ts';
import { type Candidate, pickCandidate } from './preemption.ts';
import { createScheduler } from './scheduler.ts';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createScheduler({ ...world, random: () => 0 }));
});
afterEach(() => world.stop());

const status = { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } } as never;

interface Sample {
  cpu?: string;
  priority?: number;
  labels?: Record<string, string>;
  started?: string;
  on?: string;
  policy?: string;
}

function create(name: string, { cpu = '500m', priority = 0, labels = {}, started, on, policy }: Sample): Promise<Pod> {
  return world.client.create(pods, {
    metadata: { name, namespace: 'n', labels },
    spec: {
      containers: [{ name: 'c', image: 'app', resources: { requests: { cpu } } }],
      priority,
      ...(on && { nodeName: on }),
      ...(policy && { preemptionPolicy: policy }),
    },
    status: started === undefined ? {} : { startTime: started },
  } as Input<Pod>);
}

/** Deleted Pods are gone at once. */
function playKubelet(): void {
  const { client } = world;
  const remove = client.delete.bind(client);
  client.delete = (type, name, options) => remove(type, name, { ...options, gracePeriodSeconds: 0 });
}

const get = (name: string) => world.client.objects(pods).find((pod) => pod.metadata.name === name);
const names = () => world.client.objects(pods).map(({ metadata }) => metadata.name);

test('the least important Pods make room, and no more of them than needed', async () => {
  playKubelet();
  await addNode(world, 'a', { status });
  await create('low', { cpu: '300m', priority: 1, on: 'a' });
  await create('lower', { cpu: '300m', priority: 0, on: 'a' });
  await create('equal', { cpu: '300m', priority: 10, on: 'a' });
  await world.settle();
  const urgent = await create('urgent', { cpu: '400m', priority: 10 });
  await world.settle();
  assert.deepEqual(names().sort(), ['equal', 'low', 'urgent']);
  assert.equal(get('urgent')?.spec.nodeName, 'a');
  assert.ok(world.events.includes(`Preempted: Preempted by pod ${urgent.metadata.uid} on node a`));
  assert.ok(world.events.includes('FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.'));
});

test('while a victim is going the Pod is nominated, and its room is kept from lesser ones', async () => {
  await addNode(world, 'a', { status });
  const victim = await create('victim', { cpu: '1', on: 'a' });
  await world.settle();
  const remove = world.client.delete.bind(world.client);
  world.client.delete = async () => {
    const deletionTimestamp = '2026-01-01T00:00:30Z';
    const metadata = { ...victim.metadata, deletionTimestamp };
    const conditions = get('victim')?.status.conditions ?? [];
    await world.client.update(pods, { ...victim, metadata, status: { conditions } } as Input<Pod>);
    await world.client.update(pods, { ...victim, metadata, status: { conditions } } as Input<Pod>, {
      subresource: 'status',
    });
  };
  await create('urgent', { cpu: '1', priority: 10 });
  await world.settle();
  assert.equal(get('urgent')?.status.nominatedNodeName, 'a');
  const [condition] = get('victim')?.status.conditions ?? [];
  assert.equal(condition?.reason, 'PreemptionByScheduler');
  assert.equal(condition?.message, 'default-scheduler: preempting to accommodate a higher priority pod');
  world.client.delete = remove;
  await create('small', { cpu: '500m', priority: 5, policy: 'Never' });
  await world.client.delete(pods, 'victim', { namespace: 'n', gracePeriodSeconds: 0 });
  await world.settle();
  assert.equal(get('urgent')?.spec.nodeName, 'a');
  assert.equal(get('small')?.spec.nodeName, undefined);
});

test('the node where a budget is not violated is chosen, else it is violated', async () => {
  playKubelet();
  for (const name of ['a', 'b']) await addNode(world, name, { status });
  await world.client.create(podDisruptionBudgets, {
    metadata: { name: 'guard', namespace: 'n' },
    spec: { selector: { matchLabels: { app: 'guarded' } } },
    status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  });
  await create('guarded', { cpu: '1', priority: 0, labels: { app: 'guarded' }, on: 'a' });
  await create('free', { cpu: '1', priority: 5, on: 'b' });
  await world.settle();
  await create('first', { cpu: '1', priority: 10 });
  await world.settle();
  assert.equal(get('first')?.spec.nodeName, 'b');
  await create('second', { cpu: '1', priority: 10 });
  await world.settle();
  assert.equal(get('second')?.spec.nodeName, 'a');
  assert.deepEqual(names().sort(), ['first', 'second']);
});

test('who asks for too much, or is not to preempt, makes nobody go', async () => {
  await addNode(world, 'a', { status });
  await create('low', { cpu: '1', on: 'a' });
  await world.settle();
  await create('huge', { cpu: '2', priority: 10 });
  await create('polite', { cpu: '1', priority: 10, policy: 'Never' });
  await world.settle();
  const no = 'no new claims to deallocate, preemption:';
  assert.deepEqual(world.events, [
    `FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu. ${no} 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`,
    `FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu. ${no} not eligible due to preemptionPolicy=Never.`,
  ]);
  assert.ok(names().includes('low'));
});

test('candidates are compared by what they cost', () => {
  const victim = (priority: number, startTime: string): Pod => ({ spec: { priority }, status: { startTime } }) as never;
  const early = '2026-01-01T00:00:00Z';
  const late = '2026-01-02T00:00:00Z';
  const candidate = (name: string, violations: number, ...victims: Pod[]): Candidate => ({
    node: new NodeInfo(name),
    violations,
    victims,
  });
  const cases: [string, ...Candidate[]][] = [
    ['b', candidate('a', 1, victim(0, early)), candidate('b', 0, victim(9, early))],
    ['b', candidate('a', 0, victim(9, early)), candidate('b', 0, victim(8, early), victim(8, early))],
    ['b', candidate('a', 0, victim(9, early), victim(8, early)), candidate('b', 0, victim(9, early), victim(7, early))],
    ['b', candidate('a', 0, victim(9, early), victim(-8, early)), candidate('b', 0, victim(9, early))],
    ['b', candidate('a', 0, victim(9, early)), candidate('b', 0, victim(9, late))],
    ['a', candidate('a', 0, victim(9, early)), candidate('b', 0, victim(9, early))],
  ];
  for (const [best, ...candidates] of cases) assert.equal(pickCandidate(candidates, 0)?.node.name, best);
});

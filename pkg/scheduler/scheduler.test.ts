import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Pod } from '../api/generated/core-v1.ts';
import { nodes, pods } from '../api/resources.ts';
import type { Input } from '../api/types.ts';
import { statusErrors } from '../apimachinery/status-error.ts';
import { addNode, createWorld, type World } from '../controllers/testing/harness.ts';
import { createScheduler } from './scheduler.ts';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createScheduler({ ...world, random: () => 0 }));
});
afterEach(() => world.stop());

const status = { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } } as never;

function pod(name: string, cpu: string, more: Input<Pod['spec']> = {}): Input<Pod> {
  const resources = { requests: { cpu } };
  return {
    metadata: { name, namespace: 'n' },
    spec: { schedulerName: 'default-scheduler', containers: [{ name: 'c', image: 'app', resources }], ...more },
    status: {},
  };
}

const get = (name: string) => world.client.get(pods, name, 'n');
const nodeOf = async (name: string) => (await get(name)).spec.nodeName;

test('binds and tells', async () => {
  await addNode(world, 'a', { status });
  await world.client.create(pods, pod('p', '500m'));
  await world.settle();
  assert.equal(await nodeOf('p'), 'a');
  assert.deepEqual(world.events, ['Scheduled: Successfully assigned n/p to a']);
});

test('counts what it has decided at once, and says what is missing', async () => {
  await addNode(world, 'a', { status });
  for (const name of ['p1', 'p2', 'p3']) await world.client.create(pods, pod(name, '500m'));
  await world.settle();
  assert.deepEqual([await nodeOf('p1'), await nodeOf('p2'), await nodeOf('p3')], ['a', 'a', undefined]);
  const message =
    '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';
  assert.ok(world.events.includes(`FailedScheduling: ${message}`));
  const [condition] = (await get('p3')).status.conditions ?? [];
  const { type, status: value, reason } = condition ?? {};
  assert.deepEqual([type, value, reason, condition?.message], ['PodScheduled', 'False', 'Unschedulable', message]);

  const told = world.events.length;
  await world.clock.advance(60_000);
  assert.equal(world.events.length, told, 'nothing is tried while nothing changes');
  await world.client.delete(pods, 'p1', { namespace: 'n', gracePeriodSeconds: 0 });
  await world.settle();
  assert.equal(await nodeOf('p3'), 'a');
});

test('waits for a node, a label, an open gate', async () => {
  await world.client.create(pods, pod('p', '1'));
  await world.settle();
  assert.deepEqual(world.events, ['FailedScheduling: no nodes available to schedule pods']);
  await addNode(world, 'a', { status });
  await world.settle();
  assert.equal(await nodeOf('p'), 'a');

  await world.client.create(pods, pod('picky', '0', { nodeSelector: { disk: 'ssd' } }));
  await world.client.create(pods, pod('gated', '0', { schedulingGates: [{ name: 'g' }] }));
  await world.settle();
  assert.equal(await nodeOf('picky'), undefined);
  await world.client.patch(nodes, 'a', { type: 'merge', body: { metadata: { labels: { disk: 'ssd' } } } });
  await world.settle();
  assert.equal(await nodeOf('picky'), 'a');
  assert.equal(await nodeOf('gated'), undefined);
  await world.client.patch(
    pods,
    'gated',
    { type: 'merge', body: { spec: { schedulingGates: null } } },
    {
      namespace: 'n',
    },
  );
  await world.settle();
  assert.equal(await nodeOf('gated'), 'a');
});

test('a refused binding is tried again after a second', async () => {
  await addNode(world, 'a', { status });
  const { createSubresource } = world.client;
  world.client.createSubresource = async () => {
    throw statusErrors.internalError('no');
  };
  await world.client.create(pods, pod('p', '1'));
  await world.settle();
  assert.deepEqual(world.events, ['FailedScheduling: Internal error occurred: no']);
  assert.equal((await get('p')).status.conditions?.[0]?.reason, 'SchedulerError');
  world.client.createSubresource = createSubresource;
  await world.clock.advance(1000);
  assert.equal(await nodeOf('p'), 'a');
});

test('higher priority goes first; other schedulers are left alone', async () => {
  await world.client.create(pods, pod('low', '1', { priority: 1 }));
  await world.client.create(pods, pod('high', '1', { priority: 2 }));
  await world.client.create(pods, pod('other', '0', { schedulerName: 'mine' }));
  await addNode(world, 'a', { status });
  await world.settle();
  assert.deepEqual([await nodeOf('high'), await nodeOf('low'), await nodeOf('other')], ['a', undefined, undefined]);
});

test('a thousand Pods over a hundred nodes are spread evenly', async () => {
  for (let index = 0; index < 100; index++) await addNode(world, `n${index}`, { status });
  for (let index = 0; index < 1000; index++) await world.client.create(pods, pod(`p${index}`, '100m'));
  for (let round = 0; round < 20; round++) await world.settle();
  const counts = new Map<string, number>();
  for (const { spec } of world.client.objects(pods)) {
    counts.set(spec.nodeName ?? '', (counts.get(spec.nodeName ?? '') ?? 0) + 1);
  }
  assert.deepEqual(new Set(counts.values()), new Set([10]));
});

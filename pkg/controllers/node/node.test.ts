import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { leases, nodes, pods } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { formatMicroTime, formatTime } from '../../apimachinery/time.ts';
import { createPodGarbageCollector, terminatedBeyond } from '../pod-gc.ts';
import { createWorld, type World } from '../testing/harness.ts';
import { CIDRAllocator } from './cidr-allocator.ts';
import { EvictionPace } from './eviction-pace.ts';
import { planEviction, plannedTaints } from './health.ts';
import { createNodeIpamController } from './ipam.ts';
import { createNodeLifecycleController } from './lifecycle.ts';
import { createTaintEvictionController, tolerationSeconds } from './taint-eviction.ts';

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.stop());

const withReady = (name: string, status: string, spec: object = {}): Node =>
  ({ metadata: { name }, spec, status: { conditions: [{ type: 'Ready', status }] } }) as unknown as Node;

test('taints follow the conditions', () => {
  const texts = (node: Node, mode: 'evict' | 'hold' | 'stop' = 'evict') =>
    plannedTaints(node, mode, 'now')?.map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`);
  const mine = { key: 'mine', effect: 'NoSchedule' };
  const dead = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' };
  assert.equal(texts(withReady('a', 'True')), undefined);
  assert.deepEqual(texts(withReady('a', 'False')), ['not-ready:NoSchedule', 'not-ready:NoExecute']);
  assert.deepEqual(texts(withReady('a', 'Unknown', { taints: [mine] })), [
    'mine:NoSchedule',
    'unreachable:NoSchedule',
    'unreachable:NoExecute',
  ]);
  assert.deepEqual(texts(withReady('a', 'Unknown'), 'hold'), ['unreachable:NoSchedule']);
  assert.deepEqual(texts(withReady('a', 'Unknown', { taints: [dead] }), 'hold'), [
    'unreachable:NoExecute',
    'unreachable:NoSchedule',
  ]);
  assert.deepEqual(texts(withReady('a', 'Unknown', { taints: [dead] }), 'stop'), ['unreachable:NoSchedule']);
  assert.deepEqual(texts(withReady('a', 'True', { unschedulable: true })), ['unschedulable:NoSchedule']);
  assert.deepEqual(texts(withReady('a', 'True', { taints: [dead, mine] })), ['mine:NoSchedule']);
});

test('who is emptied depends on how the others are', () => {
  const of = (...statuses: string[]) => {
    const all = statuses.map((status, index) => withReady(`n${index}`, status));
    return planEviction(all[0] as Node, all).mode;
  };
  assert.equal(of('Unknown'), 'stop', 'nothing is ready: it is not the nodes');
  assert.equal(of('Unknown', 'True'), 'evict');
  assert.equal(of('Unknown', 'Unknown', 'True'), 'evict');
  assert.equal(of('Unknown', 'Unknown', 'Unknown', 'True'), 'hold');
  const many = Array.from({ length: 60 }, (_, index) => withReady(`n${index}`, index < 40 ? 'Unknown' : 'True'));
  assert.deepEqual(planEviction(many[0] as Node, many), { mode: 'evict', zone: ':', perSecond: 0.01 });
});

test('a zone is emptied one node after the other', () => {
  const pace = new EvictionPace();
  assert.equal(pace.take('a', 'n1', 0.1, 1000), 0);
  assert.equal(pace.take('a', 'n1', 0.1, 1100), 0, 'the write may have failed');
  assert.equal(pace.take('a', 'n2', 0.1, 1500), 9600);
  assert.equal(pace.take('b', 'n3', 0.1, 1500), 0, 'zones do not wait for each other');
  assert.equal(pace.take('a', 'n2', 0.01, 11_100), 90_000);
  assert.equal(pace.take('a', 'n2', 0.1, 11_100), 0);
  assert.equal(pace.take('a', 'n4', 0.1, -1e9), 0, 'a clock that was set back holds nothing up');
});

test('how long taints are borne', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoExecute' };
  const bearing = (tolerationSeconds?: number) => ({
    key: 'k',
    operator: 'Exists',
    ...(tolerationSeconds !== undefined && { tolerationSeconds }),
  });
  assert.equal(tolerationSeconds([], undefined), Number.POSITIVE_INFINITY);
  assert.equal(tolerationSeconds([taint], undefined), 0);
  assert.equal(tolerationSeconds([taint], [bearing()]), Number.POSITIVE_INFINITY);
  assert.equal(tolerationSeconds([taint], [bearing(300), bearing(60)]), 60);
  assert.equal(tolerationSeconds([taint, { key: 'l', effect: 'NoExecute' }], [bearing()]), 0);
  assert.equal(tolerationSeconds([taint], [bearing(-5)]), 0);
});

test('blocks of Pod addresses', () => {
  const allocator = new CIDRAllocator('10.42.0.0/22', 24);
  allocator.occupy('10.42.1.0/24');
  assert.deepEqual(
    [1, 2, 3, 4].map(() => allocator.allocate()),
    ['10.42.0.0/24', '10.42.2.0/24', '10.42.3.0/24', undefined],
  );
  allocator.release('10.42.2.0/24');
  allocator.occupy('192.168.0.0/24');
  assert.equal(allocator.allocate(), '10.42.2.0/24');
  assert.equal(new CIDRAllocator('fd00:42::/56', 64).allocate(), 'fd00:42::/64');
  assert.throws(() => new CIDRAllocator('10.42.0.0/25', 24), RangeError);
});

test('nodes get their blocks, a node that goes gives its back', async () => {
  await world.client.create(nodes, { metadata: { name: 'old' }, spec: { podCIDR: '10.42.0.0/24' } });
  await world.run(createNodeIpamController(world, { clusterCIDRs: ['10.42.0.0/23'] }));
  for (const name of ['new', 'late']) await world.client.create(nodes, { metadata: { name }, spec: {} });
  await world.settle();
  assert.deepEqual((await world.client.get(nodes, 'new')).spec.podCIDRs, ['10.42.1.0/24']);
  assert.deepEqual(world.events, [
    'CIDRNotAvailable: Node late gets no Pod addresses: every block of 10.42.0.0/23 is taken; ' +
      'delete Nodes that are gone, or start the cluster with a wider --cluster-cidr',
  ]);
  const network = async () => (await world.client.get(nodes, 'late')).status.conditions?.map(({ status }) => status);
  assert.deepEqual(await network(), ['True']);
  await world.client.delete(nodes, 'old');
  await world.settle();
  assert.equal((await world.client.get(nodes, 'late')).spec.podCIDR, '10.42.0.0/24');
  assert.deepEqual(await network(), ['False']);
});

async function reportNode(name: string): Promise<void> {
  const lastHeartbeatTime = formatTime(world.clock.now());
  const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime, lastTransitionTime: lastHeartbeatTime }];
  await world.client.create(nodes, { metadata: { name }, spec: {}, status: { conditions } });
}

async function renew(name: string): Promise<void> {
  const lease = {
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { renewTime: formatMicroTime(world.clock.now()) },
  };
  const known = world.client.objects(leases).some(({ metadata }) => metadata.name === name);
  await (known ? world.client.update(leases, lease) : world.client.create(leases, lease));
}

const podOn = (name: string, nodeName: string, tolerationSeconds: number): Input<Pod> => ({
  metadata: { name, namespace: 'n' },
  spec: {
    nodeName,
    containers: [],
    tolerations: [
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds },
    ],
  },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
});

test('a silent kubelet: conditions unknown after the grace period, Pods not ready, then evicted', async () => {
  await world.run(createNodeLifecycleController(world));
  await world.run(createTaintEvictionController(world));
  for (const name of ['well', 'silent']) await reportNode(name);
  await world.client.create(pods, podOn('p', 'silent', 300));
  await world.client.create(pods, podOn('q', 'well', 300));
  const pass = async (seconds: number): Promise<void> => {
    for (let left = seconds; left > 0; left -= 10) {
      await renew('well');
      await world.clock.advance(10_000);
    }
  };
  const ready = async (name: string) =>
    (await world.client.get(nodes, name)).status.conditions?.find(({ type }) => type === 'Ready');
  await pass(40);
  assert.equal((await ready('silent'))?.status, 'True');
  await pass(20);
  const condition = await ready('silent');
  assert.deepEqual(
    [condition?.status, condition?.reason, condition?.message],
    ['Unknown', 'NodeStatusUnknown', 'Kubelet stopped posting node status.'],
  );
  assert.equal((await ready('well'))?.status, 'True');
  assert.equal((await world.client.get(pods, 'p', 'n')).status.conditions?.[0]?.status, 'False');
  await pass(280);
  assert.equal((await world.client.get(pods, 'p', 'n')).metadata.deletionTimestamp, undefined);
  await pass(30);
  const evicted = await world.client.get(pods, 'p', 'n');
  assert.notEqual(evicted.metadata.deletionTimestamp, undefined);
  assert.equal(evicted.status.conditions?.[1]?.reason, 'DeletionByTaintManager');
  assert.equal((await world.client.get(pods, 'q', 'n')).metadata.deletionTimestamp, undefined);
  assert.ok(world.events.includes('NodeNotReady: Node silent status is now: NodeNotReady'));
  assert.ok(world.events.includes('TaintManagerEviction: Marking for deletion Pod n/p'));
});

test('the only node silent: nothing is evicted; back again: taints go', async () => {
  await world.run(createNodeLifecycleController(world));
  await reportNode('only');
  await world.clock.advance(120_000);
  const taints = async () =>
    (await world.client.get(nodes, 'only')).spec.taints?.map(({ key, effect }) => [key, effect]);
  assert.deepEqual(await taints(), [['node.kubernetes.io/unreachable', 'NoSchedule']]);
  const node = await world.client.get(nodes, 'only');
  const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: formatTime(world.clock.now()) }];
  await world.client.update(nodes, { ...node, status: { conditions } } as Input<Node>, { subresource: 'status' });
  await world.settle();
  assert.deepEqual(await taints(), []);
});

test('of two nodes that are silent at once one is emptied ten seconds after the other', async () => {
  await world.run(createNodeLifecycleController(world));
  for (const name of ['one', 'two', 'well']) await reportNode(name);
  const emptied = async (): Promise<number> => {
    const found = await Promise.all(['one', 'two'].map((name) => world.client.get(nodes, name)));
    return found.filter(({ spec }) => spec.taints?.some(({ effect }) => effect === 'NoExecute')).length;
  };
  const seen: number[] = [];
  for (let seconds = 0; seconds < 80; seconds += 2) {
    if (seconds % 10 === 0) await renew('well');
    await world.clock.advance(2000);
    seen.push(await emptied());
  }
  const first = seen.indexOf(1);
  assert.ok(first > 20 && first < 30, `after the grace period: ${seen}`);
  assert.equal(seen.indexOf(2) - first, 5, `ten seconds later: ${seen}`);
});

test('Pods of a vanished node go after the quarantine; ended ones beyond the threshold at once', async () => {
  await world.run(createPodGarbageCollector(world, { terminatedThreshold: 2 }));
  await reportNode('a');
  await world.client.create(pods, podOn('p', 'a', 300));
  await world.client.create(pods, podOn('lost', 'never', 300));
  await world.client.delete(nodes, 'a');
  await world.clock.advance(39_000);
  assert.equal(world.client.objects(pods).length, 2);
  await world.clock.advance(2000);
  assert.deepEqual(world.client.objects(pods), []);

  await reportNode('b');
  for (const name of ['e1', 'e2', 'e3']) {
    await world.client.create(pods, { ...podOn(name, 'b', 300), status: { phase: 'Succeeded' } });
    await world.clock.advance(1000);
  }
  assert.deepEqual(
    world.client.objects(pods).map(({ metadata }) => metadata.name),
    ['e2', 'e3'],
  );
  assert.deepEqual(terminatedBeyond(world.client.objects(pods), 2), []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet, DaemonSetSpec } from '../../api/generated/apps-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import type { Input } from '../../api/types.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { daemonSet } from '../testing/harness.ts';
import { daemonPod, placementOf, REVISION_HASH } from './daemon-pod.ts';
import { planDaemonSet } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');

interface Look {
  node: string;
  name?: string;
  hash?: string;
  phase?: string;
  ready?: boolean;
  bound?: boolean;
  deleted?: boolean;
}

let serial = 0;
function pod({
  node,
  name = `${node}-${++serial}`,
  hash = 'new',
  phase = 'Running',
  ready = true,
  ...more
}: Look): Pod {
  const { bound = true, deleted = false } = more;
  const pinned = daemonPod(setOf(), node, hash);
  return {
    metadata: {
      name,
      uid: name,
      namespace: 'n',
      labels: { app: 'a', [REVISION_HASH]: hash },
      ...(deleted && { deletionTimestamp: formatTime(NOW) }),
    },
    spec: { ...pinned.spec, ...(bound && { nodeName: node }) },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: formatTime(NOW - 20_000) }],
    },
  } as unknown as Pod;
}

function setOf(spec: Partial<Input<DaemonSetSpec>> = {}): DaemonSet {
  return { ...daemonSet(spec), status: {} } as DaemonSet;
}

function node(name: string, more: Partial<Node['spec']> = {}, labels: Record<string, string> = {}): Node {
  return { metadata: { name, labels }, spec: more, status: {} } as unknown as Node;
}
const taint = (effect: string, key = 'x'): Partial<Node['spec']> => ({ taints: [{ key, effect }] });
const surge = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };

interface Case {
  name: string;
  spec?: Partial<Input<DaemonSetSpec>>;
  nodes?: Node[];
  pods?: Look[];
  creates?: string[];
  deletes?: string[];
  backoff?: number;
}
const ab = [node('a'), node('b')];

const cases: Case[] = [
  { name: 'a Pod on each node', nodes: ab, creates: ['a', 'b'] },
  { name: 'one that waits is enough', nodes: ab, pods: [{ node: 'a', bound: false }], creates: ['b'] },
  { name: 'one that is going is waited for', nodes: [node('a')], pods: [{ node: 'a', deleted: true }] },
  {
    name: 'ended and going takes no place',
    nodes: [node('a')],
    pods: [{ node: 'a', deleted: true, phase: 'Failed' }],
    creates: ['a'],
  },
  {
    name: 'a failed one is replaced',
    nodes: [node('a')],
    pods: [{ node: 'a', name: 'f', phase: 'Failed' }],
    deletes: ['f'],
  },
  { name: 'a failed one in back-off', nodes: [node('a')], pods: [{ node: 'a', phase: 'Failed' }], backoff: 500 },
  {
    name: 'doubled',
    nodes: [node('a')],
    pods: [
      { node: 'a', name: '1' },
      { node: 'a', name: '2' },
    ],
    deletes: ['2'],
  },
  {
    name: 'NoSchedule: not started, but stays',
    nodes: [node('a', taint('NoSchedule')), node('b', taint('NoSchedule'))],
    pods: [{ node: 'a' }],
  },
  { name: 'NoExecute: goes', nodes: [node('a', taint('NoExecute'))], pods: [{ node: 'a', name: 'p' }], deletes: ['p'] },
  {
    name: 'the node selector',
    spec: { template: { spec: { containers: [], nodeSelector: { disk: 'ssd' } } } },
    nodes: [node('a', {}, { disk: 'ssd' }), node('b')],
    pods: [{ node: 'b', name: 'p' }],
    creates: ['a'],
    deletes: ['p'],
  },
  {
    name: 'waiting for a node that is gone',
    nodes: [node('a')],
    pods: [{ node: 'a' }, { node: 'z', name: 'p', bound: false }],
    deletes: ['p'],
  },
  {
    name: 'rolling: one at a time',
    nodes: ab,
    pods: [
      { node: 'a', name: '1', hash: 'old' },
      { node: 'b', name: '2', hash: 'old' },
    ],
    deletes: ['1'],
  },
  {
    name: 'rolling: waits for the new one',
    nodes: ab,
    pods: [
      { node: 'a', ready: false },
      { node: 'b', hash: 'old' },
    ],
  },
  {
    name: 'rolling: broken ones go at once',
    nodes: ab,
    pods: [
      { node: 'a', name: '1', hash: 'old', ready: false },
      { node: 'b', name: '2', hash: 'old', ready: false },
    ],
    deletes: ['1', '2'],
  },
  {
    name: 'rolling: a share of the nodes',
    spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '50%', maxSurge: 0 } } },
    nodes: [...ab, node('c'), node('d')],
    pods: ['a', 'b', 'c', 'd'].map((at) => ({ node: at, name: at, hash: 'old' })),
    deletes: ['a', 'b'],
  },
  {
    name: 'OnDelete',
    spec: { updateStrategy: { type: 'OnDelete' } },
    nodes: [node('a')],
    pods: [{ node: 'a', hash: 'old' }],
  },
  {
    name: 'surge: the new one first',
    spec: { updateStrategy: surge },
    nodes: ab,
    pods: [
      { node: 'a', hash: 'old' },
      { node: 'b', hash: 'old' },
    ],
    creates: ['a'],
  },
  {
    name: 'surge: waits until it can take over',
    spec: { updateStrategy: surge },
    nodes: ab,
    pods: [
      { node: 'a', hash: 'old' },
      { node: 'a', ready: false },
      { node: 'b', hash: 'old' },
    ],
  },
  {
    name: 'surge: takes over',
    spec: { updateStrategy: surge },
    nodes: ab,
    pods: [
      { node: 'a', name: '1', hash: 'old' },
      { node: 'a', name: '2' },
      { node: 'b', hash: 'old' },
    ],
    deletes: ['1'],
  },
];

for (const { name, spec, nodes = [], pods = [], creates = [], deletes = [], backoff = 0 } of cases) {
  test(`plan: ${name}`, () => {
    const set = setOf(spec);
    const plan = planDaemonSet({ set, nodes, pods: pods.map(pod), hash: 'new', backoff: () => backoff }, NOW);
    assert.deepEqual(plan.creates, creates);
    assert.deepEqual(plan.deletes.map(({ metadata }) => metadata.name).sort(), deletes);
    assert.equal(plan.again, backoff || undefined);
  });
}

test('the status, and when it changes by itself', () => {
  const set = setOf({ minReadySeconds: 30 });
  const pods = [{ node: 'a' }, { node: 'b', ready: false, hash: 'old' }, { node: 'c' }].map(pod);
  const nodes = [...ab, node('c', taint('NoSchedule'))];
  const plan = planDaemonSet({ set, nodes, pods, hash: 'new', backoff: () => 0 }, NOW);
  assert.deepEqual(plan.status, {
    currentNumberScheduled: 2,
    desiredNumberScheduled: 2,
    numberMisscheduled: 1,
    numberReady: 1,
    updatedNumberScheduled: 1,
    numberUnavailable: 2,
    observedGeneration: undefined,
  });
  assert.equal(plan.again, 10_000);
});

test('a daemon puts up with the troubles of a node', () => {
  const placement = placementOf(setOf());
  const taints = ['not-ready', 'unschedulable', 'disk-pressure'].map((key) => `node.kubernetes.io/${key}`);
  for (const key of taints) {
    assert.deepEqual(placement(node('a', taint('NoSchedule', key))).shouldRun, key !== 'node.kubernetes.io/not-ready');
  }
  assert.equal(placement(node('a', taint('NoExecute', 'node.kubernetes.io/not-ready'))).shouldRun, true);
  const hostNetwork = placementOf(setOf({ template: { spec: { hostNetwork: true, containers: [] } } }));
  const noNetwork = node('a', taint('NoSchedule', 'node.kubernetes.io/network-unavailable'));
  assert.deepEqual([placement(noNetwork).shouldRun, hostNetwork(noNetwork).shouldRun], [false, true]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, PodSpec } from '../../api/generated/core-v1.ts';
import type { Input } from '../../api/types.ts';
import { FakeClock } from '../../base/clock.ts';
import { MemoryClient } from '../../client/testing/memory-client.ts';
import { fitMessage } from '../fit-message.ts';
import type { Plugin } from '../framework.ts';
import { NodeInfo } from '../node-info.ts';
import { enoughNodes, filterNodes, rankNodes } from '../schedule-pod.ts';
import { defaultPlugins } from './default-plugins.ts';
import { imageLocality } from './image-locality.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeResourcesBalancedAllocation } from './node-resources-balanced-allocation.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';
import { taintToleration } from './taint-toleration.ts';

const clock = new FakeClock();
const recorder = { event: () => {} };
const plugins = defaultPlugins({ client: new MemoryClient(clock), clock, recorder, random: () => 0 });
let serial = 0;

interface NodeSample {
  allocatable?: Record<string, string>;
  labels?: Record<string, string>;
  spec?: Input<Node['spec']>;
  images?: [string, number][];
  pods?: Pod[];
}

function node(name: string, sample: NodeSample = {}): NodeInfo {
  const info = new NodeInfo(name);
  info.node = {
    metadata: { name, labels: sample.labels ?? {} },
    spec: sample.spec ?? {},
    status: {
      allocatable: { cpu: '2', memory: '4Gi', pods: '110', ...sample.allocatable },
      images: (sample.images ?? []).map(([image, sizeBytes]) => ({ names: [image], sizeBytes })),
    },
  } as unknown as Node;
  for (const pod of sample.pods ?? []) info.addPod(pod);
  return info;
}

function pod(spec: Input<PodSpec> = {}): Pod {
  return {
    metadata: { name: 'p', uid: `${serial++}` },
    spec: { containers: [], ...spec },
    status: {},
  } as unknown as Pod;
}

const asking = (requests: Record<string, string>, more: Input<PodSpec> = {}): Pod =>
  pod({ containers: [{ name: 'c', image: 'app', resources: { requests } }], ...more });
const withHostPort = (hostPort: number, hostIP?: string): Pod =>
  pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort, ...(hostIP && { hostIP }) }] }] });
const requiring = (key: string, operator: string, ...values: string[]): Pod =>
  pod({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
        },
      },
    },
  });
const tainted = (effect: string, key = 'k'): NodeSample => ({ spec: { taints: [{ key, value: 'v', effect }] } });

const NO_VICTIMS =
  'no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';
const NOT_HELPFUL =
  'no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';

/** What a FailedScheduling event says of `subject` in a cluster of `nodes`; empty when it fits somewhere. */
function verdict(subject: Pod, ...nodes: NodeInfo[]): string {
  const { feasible, diagnosis, filters } = filterNodes(subject, { nodes }, plugins);
  if (feasible.length > 0) return '';
  const attempt = { pod: subject, cluster: { nodes }, diagnosis, filters };
  const outcome = plugins.map(({ plugin }) => plugin.postFilter?.(attempt)).find(Boolean);
  return fitMessage(diagnosis, outcome?.message);
}

const full = [asking({ cpu: '1500m', memory: '1Gi' })];
const cases: [name: string, subject: Pod, on: NodeSample, message: string][] = [
  ['room', asking({ cpu: '2', memory: '4Gi' }), {}, ''],
  ['no CPU left', asking({ cpu: '600m' }), { pods: full }, `1 Insufficient cpu. ${NO_VICTIMS}`],
  ['more CPU than there is', asking({ cpu: '3' }), {}, `1 Insufficient cpu. ${NOT_HELPFUL}`],
  [
    'several shortages',
    asking({ cpu: '1', memory: '3584Mi' }),
    { pods: full },
    `1 Insufficient cpu, 1 Insufficient memory. ${NO_VICTIMS}`,
  ],
  ['an unknown resource', asking({ 'example.com/gpu': '1' }), {}, `1 Insufficient example.com/gpu. ${NOT_HELPFUL}`],
  ['too many Pods', pod(), { allocatable: { pods: '1' }, pods: [pod()] }, `1 Too many pods. ${NO_VICTIMS}`],
  ['cordoned', pod(), { spec: { unschedulable: true } }, `1 node(s) were unschedulable. ${NOT_HELPFUL}`],
  [
    'cordoned, tolerated',
    pod({ tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] }),
    { spec: { unschedulable: true } },
    '',
  ],
  ['tainted', pod(), tainted('NoSchedule'), `1 node(s) had untolerated taint(s). ${NOT_HELPFUL}`],
  ['tainted NoExecute', pod(), tainted('NoExecute'), `1 node(s) had untolerated taint(s). ${NOT_HELPFUL}`],
  ['only preferring', pod(), tainted('PreferNoSchedule'), ''],
  ['tolerated', pod({ tolerations: [{ key: 'k', operator: 'Equal', value: 'v' }] }), tainted('NoSchedule'), ''],
  [
    'tolerated for another effect only',
    pod({ tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }] }),
    tainted('NoSchedule'),
    `1 node(s) had untolerated taint(s). ${NOT_HELPFUL}`,
  ],
  ['everything tolerated', pod({ tolerations: [{ operator: 'Exists' }] }), tainted('NoExecute'), ''],
  ['node selector met', pod({ nodeSelector: { disk: 'ssd' } }), { labels: { disk: 'ssd' } }, ''],
  [
    'node selector not met',
    pod({ nodeSelector: { disk: 'ssd' } }),
    { labels: { disk: 'hdd' } },
    `1 node(s) didn't match Pod's node affinity/selector. ${NOT_HELPFUL}`,
  ],
  ['Gt', requiring('gen', 'Gt', '9'), { labels: { gen: '10' } }, ''],
  [
    'NotIn',
    requiring('disk', 'NotIn', 'hdd', 'tape'),
    { labels: { disk: 'hdd' } },
    `1 node(s) didn't match Pod's node affinity/selector. ${NOT_HELPFUL}`,
  ],
  [
    'a host port that is taken',
    withHostPort(80),
    { pods: [withHostPort(80, '10.0.0.1')] },
    `1 node(s) didn't have free ports for the requested pod ports. ${NO_VICTIMS}`,
  ],
  ['the same port on another address', withHostPort(80, '10.0.0.2'), { pods: [withHostPort(80, '10.0.0.1')] }, ''],
  [
    'preemption forbidden',
    asking({ cpu: '1' }, { preemptionPolicy: 'Never' }),
    { pods: full },
    '1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.',
  ],
];
for (const [name, subject, on, message] of cases) {
  test(`filters: ${name}`, () => {
    assert.equal(verdict(subject, node('n', on)), message === '' ? '' : `0/1 nodes are available: ${message}`);
  });
}

test('reasons are counted over the nodes and sorted', () => {
  const nodes = [node('a', tainted('NoSchedule')), node('b', { pods: full }), node('c', { pods: full })];
  assert.equal(
    verdict(asking({ cpu: '1' }), ...nodes),
    '0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. ' +
      'no new claims to deallocate, preemption: 0/3 nodes are available: ' +
      '1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.',
  );
  assert.equal(verdict(pod()), 'no nodes available to schedule pods');
});

test('a Pod bound to one node by field looks at no other', () => {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] };
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
  const subject = asking({ cpu: '1' }, { affinity: { nodeAffinity: required } });
  assert.equal(
    verdict(subject, node('a'), node('b', { pods: full })),
    "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]. " +
      'no new claims to deallocate, preemption: 0/2 nodes are available: ' +
      '1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  );
});

test('init containers, sidecars and overhead count as the kubelet will run them', () => {
  const container = (cpu: string, restartPolicy?: string) => ({
    name: cpu,
    resources: { requests: { cpu } },
    ...(restartPolicy && { restartPolicy }),
  });
  const subject = pod({
    initContainers: [container('500m', 'Always'), container('800m')],
    containers: [container('300m'), container('300m')],
    overhead: { cpu: '100m' },
  });
  const info = node('n', { pods: [subject] });
  assert.equal(info.requested.get('cpu'), 1400);
  info.removePod(subject.metadata.uid);
  assert.equal(info.requested.get('cpu'), 0);
});

function scores(plugin: Plugin, subject: Pod, ...nodes: NodeInfo[]): Record<string, number> {
  const ranked = rankNodes(subject, { nodes }, nodes, [{ plugin, weight: 1 }]);
  return Object.fromEntries(ranked.map(({ node: { name }, score }) => [name, score]));
}

test('scores', () => {
  const empty = node('empty');
  const half = node('half', { pods: [asking({ cpu: '1', memory: '2Gi' })] });
  assert.deepEqual(scores(nodeResourcesFit, asking({ cpu: '200m', memory: '0' }), empty, half), {
    empty: 95,
    half: 45,
  });
  const lopsided = node('lopsided', { pods: [asking({ cpu: '1' })] });
  const even = asking({ cpu: '200m', memory: '409Mi' });
  assert.deepEqual(scores(nodeResourcesBalancedAllocation, even, empty, lopsided), { empty: 99, lopsided: 74 });
  assert.deepEqual(scores(taintToleration, pod(), empty, node('soft', tainted('PreferNoSchedule'))), {
    empty: 100,
    soft: 0,
  });
  const preference = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] };
  const preferring = pod({
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 7, preference }] } },
  });
  assert.deepEqual(scores(nodeAffinity, preferring, empty, node('ssd', { labels: { disk: 'ssd' } })), {
    ssd: 100,
    empty: 0,
  });
  const present = node('present', { images: [['app:latest', 1000 * 1024 * 1024]] });
  assert.deepEqual(scores(imageLocality, asking({}), empty, present), { present: 48, empty: 0 });
});

test('of many nodes a part is enough', () => {
  assert.deepEqual([1, 99, 100, 1000, 5000, 15000].map(enoughNodes), [1, 99, 100, 420, 500, 750]);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node, Pod, Taint } from '../api/generated/core-v1.ts';
import { admitPod, inAdmissionOrder, refusedStatus } from './admit-pod.ts';
import { makeContainer, makeNode, makePod, type PodParts } from './test-fixtures.ts';

const ALLOCATABLE = { cpu: '1', memory: '1Gi', 'ephemeral-storage': '10Gi', pods: '3', 'example.test/disk': '2' };

const node = (taints: readonly Taint[] = []): Node => makeNode(ALLOCATABLE, taints);
const asking = (requests: Record<string, string>, parts: PodParts = {}): Pod =>
  makePod({ ...parts, spec: { containers: [makeContainer('app', { resources: { requests } })], ...parts.spec } });

function withPort(hostPort: number, more: { hostIP?: string; protocol?: string } = {}): Pod {
  const ports = [{ containerPort: 80, protocol: 'TCP', hostPort, ...more }];
  return makePod({ spec: { containers: [makeContainer('app', { ports })] } });
}

const AWAY: Taint = { key: 'away', effect: 'NoExecute' };

interface Case {
  readonly name: string;
  readonly pod: Pod;
  readonly others?: readonly Pod[];
  readonly node?: Node;
  readonly reason?: string;
  readonly message?: string | RegExp;
}

const AFFINITY = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
const PORTS = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
const TAINTS = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate";

const CASES: readonly Case[] = [
  { name: 'a Pod that asks for nothing', pod: makePod() },
  { name: 'one that just fits', pod: asking({ cpu: '500m' }), others: [asking({ cpu: '500m' })] },
  {
    name: 'CPU',
    pod: asking({ cpu: '1' }),
    others: [asking({ cpu: '500m' })],
    reason: 'OutOfcpu',
    message: "Node didn't have enough resource: cpu, requested: 1000, used: 500, capacity: 1000",
  },
  {
    name: 'memory',
    pod: asking({ memory: '2Gi' }),
    reason: 'OutOfmemory',
    message: "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
  },
  { name: 'storage', pod: asking({ 'ephemeral-storage': '11Gi' }), reason: 'OutOfephemeral-storage' },
  {
    name: 'the number of Pods, told before all else',
    pod: asking({ cpu: '9' }),
    others: [makePod(), makePod(), makePod()],
    reason: 'OutOfpods',
    message: "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
  },
  {
    name: 'an extended resource of the node',
    pod: asking({ 'example.test/disk': '2' }),
    others: [asking({ 'example.test/disk': '1' })],
    reason: 'OutOfexample.test/disk',
    message: "Node didn't have enough resource: example.test/disk, requested: 2, used: 1, capacity: 2",
  },
  { name: 'one that the node knows nothing of', pod: asking({ 'example.test/other': '5' }) },
  {
    name: 'huge pages that the node has none of',
    pod: asking({ 'hugepages-2Mi': '2Mi' }),
    reason: 'OutOfhugepages-2Mi',
  },
  {
    name: 'resources before ports',
    pod: makePod({
      spec: {
        containers: [
          makeContainer('app', {
            ports: [{ containerPort: 80, protocol: 'TCP', hostPort: 80 }],
            resources: { requests: { cpu: '2' } },
          }),
        ],
      },
    }),
    others: [withPort(80)],
    reason: 'OutOfcpu',
  },
  { name: 'a selector that holds', pod: makePod({ spec: { nodeSelector: { disk: 'fast' } } }) },
  {
    name: 'one that does not',
    pod: makePod({ spec: { nodeSelector: { disk: 'slow' } } }),
    reason: 'NodeAffinity',
    message: AFFINITY,
  },
  {
    name: 'node affinity',
    pod: makePod({
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['m'] }] }],
            },
          },
        },
      },
    }),
    reason: 'NodeAffinity',
    message: AFFINITY,
  },
  { name: 'a port', pod: withPort(80), others: [withPort(80)], reason: 'NodePorts', message: PORTS },
  { name: 'another port', pod: withPort(81), others: [withPort(80)] },
  { name: 'another protocol', pod: withPort(80, { protocol: 'UDP' }), others: [withPort(80)] },
  {
    name: 'addresses of their own',
    pod: withPort(80, { hostIP: '127.0.0.1' }),
    others: [withPort(80, { hostIP: '127.0.0.2' })],
  },
  { name: 'all addresses', pod: withPort(80, { hostIP: '127.0.0.1' }), others: [withPort(80)], reason: 'NodePorts' },
  { name: 'a NoExecute taint', pod: makePod(), node: node([AWAY]), reason: 'TaintToleration', message: TAINTS },
  { name: 'other taints', pod: makePod(), node: node([{ ...AWAY, effect: 'NoSchedule' }]) },
  {
    name: 'a tolerated taint',
    pod: makePod({ spec: { tolerations: [{ key: 'away', operator: 'Exists', tolerationSeconds: 300 }] } }),
    node: node([AWAY]),
  },
  { name: 'Linux', pod: makePod({ spec: { os: { name: 'linux' } } }) },
  {
    name: 'another system',
    pod: makePod({ spec: { os: { name: 'windows' } } }),
    reason: 'PodOSNotSupported',
    message: "Failed to admit pod as the OS field doesn't match node OS",
  },
  {
    name: 'the label of another system',
    pod: makePod({ metadata: { labels: { 'kubernetes.io/os': 'windows' } } }),
    reason: 'PodOSSelectorNodeLabelDoesNotMatch',
    message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
  },
];

describe('admission to the node', () => {
  for (const { name, pod, others = [], node: on = node(), reason, message } of CASES) {
    test(`${name}: ${reason ?? 'admitted'}`, () => {
      const refusal = admitPod(pod, on, others);
      assert.equal(refusal?.reason, reason);
      if (message !== undefined) assert.equal(refusal?.message, message);
    });
  }

  test('the status of a refused Pod', () => {
    const pod = makePod({ metadata: { generation: 2 }, status: { phase: 'Pending' } });
    const refusal = { reason: 'NodePorts', message: PORTS };
    const now = Date.parse('2026-01-01T00:00:05Z');
    const status = {
      observedGeneration: 2,
      phase: 'Failed',
      reason: 'NodePorts',
      message: `Pod was rejected: ${PORTS}`,
      startTime: '2026-01-01T00:00:05Z',
      qosClass: 'BestEffort',
    };
    assert.deepEqual(refusedStatus(pod, refusal, now), status);
    const later = refusedStatus({ ...pod, status: { startTime: status.startTime } }, refusal, now + 9000);
    assert.equal(later.startTime, status.startTime);
  });

  test('what runs already comes first, then the oldest', () => {
    const made = (name: string, creationTimestamp: string): Pod => makePod({ metadata: { name, creationTimestamp } });
    const pods = [
      made('new', '2026-01-03T00:00:00Z'),
      made('old', '2026-01-01T00:00:00Z'),
      made('running', '2026-01-02T00:00:00Z'),
    ];
    const order = inAdmissionOrder(pods, ({ metadata }) => metadata.name === 'running');
    assert.deepEqual(
      order.map(({ metadata }) => metadata.name),
      ['running', 'old', 'new'],
    );
  });
});

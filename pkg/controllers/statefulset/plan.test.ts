import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatefulSet, StatefulSetSpec } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { Input } from '../../api/types.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { statefulSet } from '../testing/harness.ts';
import { REVISION_LABEL, statefulPod } from './identity.ts';
import { planStatefulSet } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [] } };

interface Look {
  ordinal: number;
  phase?: string;
  ready?: boolean;
  deleted?: boolean;
  revision?: string;
}

function pod({ ordinal, phase = 'Running', ready = phase === 'Running', deleted, revision = 'new' }: Look): Pod {
  const made = statefulPod(setOf(1), ordinal, template as never, revision);
  return {
    ...made,
    metadata: { ...made.metadata, uid: String(ordinal), ...(deleted && { deletionTimestamp: formatTime(NOW) }) },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: formatTime(NOW - 20_000) }],
    },
  } as unknown as Pod;
}

function setOf(replicas: number, spec: Partial<Input<StatefulSetSpec>> = {}): StatefulSet {
  const set = statefulSet(replicas, spec);
  return { ...set, metadata: { ...set.metadata, uid: 'set', generation: 3 }, status: { replicas: 0 } } as StatefulSet;
}

const rolling = (partition: number, maxUnavailable?: number | string): Input<StatefulSetSpec['updateStrategy']> => ({
  type: 'RollingUpdate',
  rollingUpdate: { partition, ...(maxUnavailable !== undefined && { maxUnavailable }) },
});
const row = (count: number, look: Partial<Look> = {}): Look[] =>
  Array.from({ length: count }, (_, ordinal) => ({ ordinal, ...look }));

interface Case {
  name: string;
  replicas: number;
  spec?: Partial<Input<StatefulSetSpec>>;
  pods?: Look[];
  creates?: string[];
  deletes?: number[];
}
const parallel = { podManagementPolicy: 'Parallel' };

const cases: Case[] = [
  { name: 'the first', replicas: 3, creates: ['0 new'] },
  { name: 'the next only when the first is ready', replicas: 3, pods: [{ ordinal: 0, ready: false }] },
  { name: 'the next', replicas: 3, pods: [{ ordinal: 0 }], creates: ['1 new'] },
  { name: 'minReadySeconds', replicas: 2, spec: { minReadySeconds: 30 }, pods: [{ ordinal: 0 }] },
  { name: 'a gap', replicas: 3, pods: [{ ordinal: 0 }, { ordinal: 2 }], creates: ['1 new'] },
  { name: 'one that is going is waited for', replicas: 2, pods: [{ ordinal: 0, deleted: true }] },
  { name: 'a failed one is cleared away', replicas: 2, pods: [{ ordinal: 0, phase: 'Failed' }], deletes: [0] },
  {
    name: 'numbers from five',
    replicas: 2,
    spec: { ordinals: { start: 5 } },
    pods: [{ ordinal: 5 }],
    creates: ['6 new'],
  },
  {
    name: 'all at a time',
    replicas: 3,
    spec: parallel,
    pods: [{ ordinal: 1, ready: false }],
    creates: ['0 new', '2 new'],
  },
  { name: 'smaller: the last first', replicas: 1, pods: row(3), deletes: [2] },
  { name: 'smaller: after the last is gone', replicas: 1, pods: [...row(2), { ordinal: 2, deleted: true }] },
  { name: 'smaller: the sick one may go', replicas: 1, pods: [...row(2), { ordinal: 2, ready: false }], deletes: [2] },
  {
    name: 'smaller: waits for another sick one',
    replicas: 1,
    pods: [{ ordinal: 0 }, { ordinal: 1, ready: false }, { ordinal: 2, ready: false }],
  },
  { name: 'smaller: all at a time', replicas: 1, spec: parallel, pods: row(3), deletes: [1, 2] },
  { name: 'rolling: the last first', replicas: 3, pods: row(3, { revision: 'old' }), deletes: [2] },
  {
    name: 'rolling: waits for the new one',
    replicas: 3,
    spec: parallel,
    pods: [...row(2, { revision: 'old' }), { ordinal: 2, ready: false }],
  },
  {
    name: 'rolling: down to the partition',
    replicas: 3,
    spec: { updateStrategy: rolling(2) },
    pods: row(3, { revision: 'old' }),
    deletes: [2],
  },
  {
    name: 'rolling: not below the partition',
    replicas: 3,
    spec: { updateStrategy: rolling(2) },
    pods: [...row(2, { revision: 'old' }), { ordinal: 2 }],
  },
  {
    name: 'below the partition: the old revision comes back',
    replicas: 3,
    spec: { updateStrategy: rolling(2) },
    pods: [{ ordinal: 0, revision: 'old' }, { ordinal: 2 }],
    creates: ['1 old'],
  },
  {
    name: 'rolling: several',
    replicas: 4,
    spec: { updateStrategy: rolling(0, '50%') },
    pods: row(4, { revision: 'old' }),
    deletes: [3, 2],
  },
  { name: 'OnDelete', replicas: 2, spec: { updateStrategy: { type: 'OnDelete' } }, pods: row(2, { revision: 'old' }) },
  {
    name: 'OnDelete: a new one is new',
    replicas: 2,
    spec: { updateStrategy: { type: 'OnDelete' } },
    pods: row(1, { revision: 'old' }),
    creates: ['1 new'],
  },
];

for (const { name, replicas, spec, pods = [], creates = [], deletes = [] } of cases) {
  test(`plan: ${name}`, () => {
    const plan = planStatefulSet(
      { set: setOf(replicas, spec), pods: pods.map(pod), current: 'old', update: 'new', backoff: () => 0 },
      NOW,
    );
    assert.deepEqual(
      plan.creates.map(({ ordinal, revision }) => `${ordinal} ${revision}`),
      creates,
    );
    assert.deepEqual(
      plan.deletes.map(({ metadata }) => Number(metadata.uid)).sort((a, b) => (pods.length > 3 ? b - a : a - b)),
      deletes,
    );
  });
}

test('the status of a set on its way, and at its goal', () => {
  const set = setOf(2, { minReadySeconds: 30 });
  const status = (pods: Look[]) =>
    planStatefulSet({ set, pods: pods.map(pod), current: 'old', update: 'new', backoff: () => 0 }, NOW);
  const way = status([
    { ordinal: 0, revision: 'old' },
    { ordinal: 1, ready: false },
  ]);
  assert.deepEqual(way.status, {
    observedGeneration: 3,
    replicas: 2,
    readyReplicas: 1,
    currentReplicas: 1,
    updatedReplicas: 1,
    currentRevision: 'old',
    updateRevision: 'new',
    collisionCount: 0,
    availableReplicas: 0,
  });
  assert.equal(way.again, 10_000);
  const goal = status(row(2)).status;
  assert.deepEqual([goal.currentRevision, goal.currentReplicas], ['new', 2]);
});

test('lost labels are given back', () => {
  const [stranger] = row(1).map(pod);
  const labels = { app: 'a', [REVISION_LABEL]: 'new' };
  const robbed = { ...stranger, metadata: { ...stranger?.metadata, labels } } as Pod;
  const plan = planStatefulSet({ set: setOf(1), pods: [robbed], current: 'new', update: 'new', backoff: () => 0 }, NOW);
  assert.deepEqual(plan.repairs, [robbed]);
});

test('a failed Pod in back-off is left alone, and holds up the others', () => {
  const pods = row(2, { phase: 'Failed' }).map(pod);
  const names = { current: 'new', update: 'new' };
  const waits = new Map(pods.map(({ metadata }, index) => [metadata.name, 500 + index]));
  const backoff = (name: string): number => waits.get(name) ?? 0;
  for (const spec of [{}, parallel]) {
    const plan = planStatefulSet({ set: setOf(3, spec), pods, ...names, backoff }, NOW);
    assert.deepEqual([plan.deletes, plan.again], [[], 500]);
  }
});

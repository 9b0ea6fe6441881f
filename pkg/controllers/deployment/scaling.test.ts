import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { type Draft, draftOf } from './draft.ts';
import { isScalingEvent, rollingUpdateStep, scale } from './scaling.ts';

type Bound = number | string;

function sample(replicas: number, maxSurge: Bound, maxUnavailable: Bound): Deployment {
  return {
    spec: { replicas, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } },
    status: {},
  } as unknown as Deployment;
}

let age = 0;
/** A set of `replicas` Pods of which `available` are available, made when the Deployment had room for `max`. */
function set(replicas: number, available: number, desired?: number, max?: number): Draft {
  const annotations: Record<string, string> = {};
  if (desired !== undefined) annotations['deployment.kubernetes.io/desired-replicas'] = String(desired);
  if (max !== undefined) annotations['deployment.kubernetes.io/max-replicas'] = String(max);
  const creationTimestamp = new Date(1_700_000_000_000 + age++ * 1000).toISOString();
  return draftOf({
    metadata: { name: `s${age}`, annotations, creationTimestamp },
    spec: { replicas },
    status: { replicas, availableReplicas: available },
  } as unknown as ReplicaSet);
}

interface Step {
  name: string;
  replicas: number;
  surge: Bound;
  unavailable: Bound;
  /** [replicas, available] */
  newest: [number, number];
  old: [number, number][];
  want: { newest: number; old: number[] };
}

const steps: Step[] = [
  {
    name: 'the new one starts with the surge',
    replicas: 4,
    surge: '25%',
    unavailable: '25%',
    newest: [0, 0],
    old: [[4, 4]],
    want: { newest: 1, old: [4] },
  },
  {
    name: 'no surge room: the old one gives way',
    replicas: 4,
    surge: 1,
    unavailable: '25%',
    newest: [1, 0],
    old: [[4, 4]],
    want: { newest: 1, old: [3] },
  },
  {
    name: 'an available new Pod lets two old ones go',
    replicas: 4,
    surge: 1,
    unavailable: 1,
    newest: [1, 1],
    old: [[4, 4]],
    want: { newest: 1, old: [2] },
  },
  {
    name: 'room is taken by the new one first',
    replicas: 4,
    surge: 1,
    unavailable: 1,
    newest: [1, 1],
    old: [[2, 2]],
    want: { newest: 3, old: [2] },
  },
  {
    name: 'surge 0, unavailable 1: one at a time',
    replicas: 3,
    surge: 0,
    unavailable: 1,
    newest: [0, 0],
    old: [[3, 3]],
    want: { newest: 0, old: [2] },
  },
  {
    name: 'both zero: one may be unavailable all the same',
    replicas: 3,
    surge: 0,
    unavailable: '10%',
    newest: [0, 0],
    old: [[3, 3]],
    want: { newest: 0, old: [2] },
  },
  {
    name: 'broken old Pods go first, whichever set they are in',
    replicas: 10,
    surge: 2,
    unavailable: 2,
    newest: [0, 0],
    old: [
      [5, 5],
      [7, 3],
    ],
    want: { newest: 0, old: [5, 3] },
  },
  {
    name: 'a stuck new version keeps the old one up',
    replicas: 10,
    surge: 3,
    unavailable: 2,
    newest: [5, 0],
    old: [[8, 8]],
    want: { newest: 5, old: [8] },
  },
  {
    name: 'a new set that is too large shrinks',
    replicas: 2,
    surge: 1,
    unavailable: 0,
    newest: [5, 5],
    old: [],
    want: { newest: 2, old: [] },
  },
  {
    name: 'the last old Pods go',
    replicas: 4,
    surge: 1,
    unavailable: 1,
    newest: [4, 3],
    old: [[1, 1]],
    want: { newest: 4, old: [0] },
  },
];

for (const { name, replicas, surge, unavailable, newest, old, want } of steps) {
  test(`rolling update: ${name}`, () => {
    const drafts = old.map(([size, available]) => set(size, available));
    const latest = set(...newest);
    rollingUpdateStep(sample(replicas, surge, unavailable), latest, drafts);
    assert.deepEqual({ newest: latest.replicas, old: drafts.map((draft) => draft.replicas) }, want);
  });
}

test('a rollout runs through without ever breaking its bounds', () => {
  const deployment = sample(10, 3, 2);
  const old = set(10, 10);
  const newest = set(0, 0);
  for (let round = 0; round < 20 && rollingUpdateStep(deployment, newest, [old]); round++) {
    assert.ok(old.replicas + newest.replicas <= 13);
    Object.assign(newest.set.status, { availableReplicas: newest.replicas, replicas: newest.replicas });
    Object.assign(old.set.status, { availableReplicas: old.replicas, replicas: old.replicas });
    assert.ok(old.replicas + newest.replicas >= 8);
  }
  assert.deepEqual([old.replicas, newest.replicas], [0, 10]);
});

const proportions: [name: string, to: number, surge: number, sets: [number, number, number][], want: number[]][] = [
  // [replicas, desired, max] of each set, oldest first
  [
    'grows in proportion, the rest to the largest',
    20,
    0,
    [
      [5, 10, 10],
      [3, 10, 10],
      [2, 10, 10],
    ],
    [10, 6, 4],
  ],
  [
    'shrinks in proportion',
    5,
    0,
    [
      [5, 10, 10],
      [5, 10, 10],
    ],
    [2, 3],
  ],
  [
    'to nothing',
    0,
    0,
    [
      [5, 10, 10],
      [5, 10, 10],
    ],
    [0, 0],
  ],
  [
    'with surge',
    15,
    3,
    [
      [8, 10, 13],
      [5, 10, 13],
    ],
    [11, 7],
  ],
];
for (const [name, to, surge, sizes, want] of proportions) {
  test(`proportional scaling: ${name}`, () => {
    const deployment = sample(to, surge, 1);
    const drafts = sizes.map(([size, desired, max]) => set(size, 0, desired, max));
    assert.ok(isScalingEvent(deployment, drafts));
    scale(deployment, drafts.at(-1), drafts.slice(0, -1));
    assert.deepEqual(
      drafts.map((draft) => draft.replicas),
      want,
    );
    assert.ok(!isScalingEvent(deployment, drafts));
  });
}

test('the only active set takes the whole size; after a finished rollout old ones go', () => {
  const only = set(3, 3, 3, 4);
  scale(sample(7, 1, 1), only, [set(0, 0)]);
  assert.equal(only.replicas, 7);
  const newest = set(3, 3, 3, 4);
  const old = set(1, 1, 2, 3);
  scale(sample(3, 1, 1), newest, [old]);
  assert.deepEqual([newest.replicas, old.replicas], [3, 0]);
});

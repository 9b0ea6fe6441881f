import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import { podsToDelete } from './deletion-rank.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');

interface Sample {
  node?: string;
  phase?: string;
  /** Minutes since it became ready; absent: not ready. */
  ready?: number;
  cost?: string;
  restarts?: number;
  sidecarRestarts?: number;
  /** Minutes since its creation. */
  age?: number;
}

const ago = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

function pod(name: string, sample: Sample): Pod {
  const { node = 'n1', phase = 'Running', ready, cost, restarts = 0, sidecarRestarts = 0, age = 30 } = sample;
  const container = (restartCount: number, containerName: string): object => ({ name: containerName, restartCount });
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: ago(age),
      annotations: cost === undefined ? {} : { 'controller.kubernetes.io/pod-deletion-cost': cost },
    },
    spec: { nodeName: node, containers: [], initContainers: [{ name: 's', restartPolicy: 'Always' }] },
    status: {
      phase,
      conditions: ready === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: ago(ready) }],
      containerStatuses: [container(restarts, 'c')],
      initContainerStatuses: [container(sidecarRestarts, 's')],
    },
  } as unknown as Pod;
}

const ready = { ready: 20 };
const cases: [name: string, goes: Sample, stays: Sample][] = [
  ['unassigned before assigned', { node: '', phase: 'Pending' }, { phase: 'Pending' }],
  ['pending before unknown', { phase: 'Pending' }, { phase: 'Unknown' }],
  ['unknown before running', { phase: 'Unknown' }, { phase: 'Running' }],
  ['not ready before ready', {}, ready],
  ['cheaper before dearer', { ...ready, cost: '-5' }, { ...ready, cost: '10' }],
  ['an invalid cost counts as none', { ...ready, cost: '-1' }, { ...ready, cost: '-007' }],
  ['shortly ready before long ready', { ready: 1 }, { ready: 20 }],
  ['more restarts first', { ...ready, restarts: 3 }, { ...ready, restarts: 1 }],
  ['then more sidecar restarts', { ...ready, sidecarRestarts: 3 }, { ...ready, sidecarRestarts: 1 }],
  ['younger before older', { ...ready, age: 21 }, { ...ready, age: 55 }],
];

for (const [name, goes, stays] of cases) {
  test(`deletion ranking: ${name}`, () => {
    const pods = [pod('stays', stays), pod('goes', goes)];
    assert.deepEqual(
      podsToDelete(pods, [], 1, NOW).map(({ metadata }) => metadata.name),
      ['goes'],
    );
  });
}

test('deletion ranking: where related Pods double up, one goes first', () => {
  const alone = pod('alone', { ...ready, node: 'n1' });
  const together = pod('together', { ...ready, node: 'n2' });
  const other = pod('other', { ...ready, node: 'n2' });
  assert.deepEqual(podsToDelete([alone, together], [alone, together, other], 1, NOW), [together]);
});

test('ages within one power of two are told apart by uid, not by age', () => {
  const a = pod('a', { ready: 10, age: 30 });
  const b = pod('b', { ready: 11, age: 30 });
  assert.deepEqual(podsToDelete([b, a], [], 1, NOW), [a]);
});

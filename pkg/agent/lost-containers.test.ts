import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KnownState, planLostContainers } from './lost-containers.ts';

test('lost is a bundle whose container has ended or is not known; one that may yet start is waited for', () => {
  const known = new Map<string, KnownState>([
    ['running', 'running'],
    ['created', 'unsure'],
    ['exited', 'ended'],
  ]);
  const suspects = ['running', 'created', 'exited', 'unknown', 'gone'];
  const bundles = new Set(['running', 'created', 'exited', 'unknown', 'another']);
  assert.deepEqual(planLostContainers(suspects, bundles, known), {
    remove: ['exited', 'unknown'],
    wait: ['created'],
  });
});

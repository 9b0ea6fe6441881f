import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOf } from '../api/facts.ts';
import type { Pod } from '../api/generated/core-v1.ts';
import type { JsonObject } from '../api/schema.ts';
import { applyStrategicMergePatch } from '../apimachinery/patch/strategic-merge.ts';
import type { KubeletPodStatus } from './status.ts';
import { statusPatch } from './status-patch.ts';

const TIMES = { lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' };

test('a patched status is what was wanted: stale reasons and addresses go, others’ conditions stay', () => {
  const stored = {
    metadata: { name: 'web', uid: 'u' },
    status: {
      phase: 'Pending',
      podIPs: [{ ip: '10.42.0.9' }],
      conditions: [
        { type: 'Ready', status: 'False', reason: 'ContainersNotReady', message: 'unready: [c]', ...TIMES },
        { type: 'example.org/gate', status: 'True', ...TIMES },
      ],
    },
  } as unknown as Pod;
  const wanted: KubeletPodStatus = {
    phase: 'Running',
    podIPs: [{ ip: '10.42.0.5' }],
    conditions: [{ type: 'Ready', status: 'True', ...TIMES }],
  } as unknown as KubeletPodStatus;
  const patch = statusPatch(stored, wanted) as JsonObject;
  const after = applyStrategicMergePatch(
    structuredClone(stored) as unknown as JsonObject,
    patch,
    schemaOf('core.v1.Pod'),
  ) as unknown as Pod;
  assert.deepEqual(after.status, {
    phase: 'Running',
    podIPs: [{ ip: '10.42.0.5' }],
    conditions: [
      { type: 'Ready', status: 'True', lastTransitionTime: TIMES.lastTransitionTime },
      { type: 'example.org/gate', status: 'True', ...TIMES },
    ],
  });
  assert.equal(statusPatch(after, wanted), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../api/schema.ts';
import { horizontalPodAutoscalerV1 } from './horizontal-pod-autoscaler-v1.ts';

const { storedAs } = horizontalPodAutoscalerV1;
assert.ok(storedAs !== undefined);
const { fromStored, toStored } = storedAs;

const cpu = (percent: number): JsonObject => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
});
const memory: JsonObject = {
  type: 'Resource',
  resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
};
const stored: JsonObject = {
  kind: 'HorizontalPodAutoscaler',
  apiVersion: 'autoscaling/v2',
  metadata: { name: 'web', annotations: { own: 'x' } },
  spec: {
    scaleTargetRef: { kind: 'Deployment', name: 'web' },
    maxReplicas: 3,
    metrics: [memory, cpu(70)],
    behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
  },
  status: {
    currentReplicas: 1,
    desiredReplicas: 2,
    currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 55 } } }],
    conditions: [{ type: 'AbleToScale', status: 'True' }],
  },
};

test('v1 has a field for the processor; the rest is in annotations', () => {
  const shown = fromStored(stored);
  const { spec, status, metadata } = shown as Record<string, Record<string, unknown>>;
  assert.equal(spec?.['targetCPUUtilizationPercentage'], 70);
  assert.equal(status?.['currentCPUUtilizationPercentage'], 55);
  assert.equal(spec?.['metrics'], undefined);
  const annotations = metadata?.['annotations'] as Record<string, string>;
  assert.deepEqual(Object.keys(annotations).sort(), [
    'autoscaling.alpha.kubernetes.io/behavior',
    'autoscaling.alpha.kubernetes.io/conditions',
    'autoscaling.alpha.kubernetes.io/metrics',
    'own',
  ]);
  assert.deepEqual(JSON.parse(annotations['autoscaling.alpha.kubernetes.io/metrics'] ?? ''), [memory]);
});

test('what a client of v1 writes back loses nothing', () => {
  const { metadata, spec, status } = toStored(fromStored(stored)) as Record<string, JsonObject>;
  assert.deepEqual(metadata, stored['metadata']);
  assert.deepEqual(spec, stored['spec']);
  assert.deepEqual(status, stored['status']);
});

import type { HorizontalPodAutoscaler } from '../../api/generated/autoscaling-v1.ts';
import { horizontalPodAutoscalers, horizontalPodAutoscalersV1 } from '../../api/resources.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import { describe } from '../descriptor.ts';
import { autoscalerColumns } from './columns.ts';
import { validateAutoscaler, validateAutoscalerStatus } from './validation.ts';

const DEFAULT_CPU_UTILIZATION = 80;

/**
 * autoscaling/v1 knows one metric, the processor's use; whatever else a v2 object says travels in these annotations, so
 * that a client of v1 that writes back what it read loses nothing (upstream: autoscaling/v1 conversion).
 */
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const CURRENT_METRICS = 'autoscaling.alpha.kubernetes.io/current-metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';

const part = (object: JsonObject, key: string): JsonObject => {
  const value = object[key];
  return isJsonObject(value) ? value : {};
};

const listOf = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : []);

/** The metric v1 has a field for. */
const isCpuUse = (metric: JsonObject, side: 'target' | 'current'): boolean =>
  metric['type'] === 'Resource' &&
  part(metric, 'resource')['name'] === 'cpu' &&
  part(part(metric, 'resource'), side)['averageUtilization'] !== undefined;

function fromAnnotation(annotations: JsonObject, name: string): Json | undefined {
  const text = annotations[name];
  if (typeof text !== 'string') return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    // Anybody may write annotations: what is no JSON says nothing.
    return undefined;
  }
}

function toV2(object: JsonObject): JsonObject {
  const { targetCPUUtilizationPercentage: target, ...spec } = part(object, 'spec');
  const { currentCPUUtilizationPercentage: current, ...status } = part(object, 'status');
  const annotations = { ...part(part(object, 'metadata'), 'annotations') };
  const kept = (name: string): JsonObject[] => listOf(fromAnnotation(annotations, name));
  const metrics = kept(METRICS);
  const currentMetrics = kept(CURRENT_METRICS);
  const conditions = kept(CONDITIONS);
  const behavior = fromAnnotation(annotations, BEHAVIOR);
  for (const name of [METRICS, CURRENT_METRICS, BEHAVIOR, CONDITIONS]) delete annotations[name];
  if (typeof target === 'number') {
    const use = { type: 'Utilization', averageUtilization: target };
    metrics.push({ type: 'Resource', resource: { name: 'cpu', target: use } });
  }
  if (typeof current === 'number') {
    currentMetrics.push({ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } });
  }
  return withParts(object, annotations, {
    spec: {
      ...spec,
      ...(metrics.length > 0 ? { metrics } : {}),
      ...(isJsonObject(behavior) ? { behavior } : {}),
    },
    status: {
      ...status,
      ...(currentMetrics.length > 0 ? { currentMetrics } : {}),
      ...(conditions.length > 0 ? { conditions } : {}),
    },
  });
}

function toV1(object: JsonObject): JsonObject {
  const { metrics, behavior, ...spec } = part(object, 'spec');
  const { currentMetrics, conditions, ...status } = part(object, 'status');
  const annotations = { ...part(part(object, 'metadata'), 'annotations') };
  const keep = (name: string, value: Json | undefined): void => {
    if (Array.isArray(value) ? value.length > 0 : value !== undefined) annotations[name] = JSON.stringify(value);
  };
  const wanted = listOf(metrics);
  const seen = listOf(currentMetrics);
  const cpu = wanted.find((metric) => isCpuUse(metric, 'target'));
  const cpuNow = seen.find((metric) => isCpuUse(metric, 'current'));
  keep(
    METRICS,
    wanted.filter((metric) => metric !== cpu),
  );
  keep(
    CURRENT_METRICS,
    seen.filter((metric) => metric !== cpuNow),
  );
  keep(CONDITIONS, listOf(conditions));
  keep(BEHAVIOR, isJsonObject(behavior) ? behavior : undefined);
  const target = cpu === undefined ? undefined : part(part(cpu, 'resource'), 'target')['averageUtilization'];
  const current = cpuNow === undefined ? undefined : part(part(cpuNow, 'resource'), 'current')['averageUtilization'];
  return withParts(object, annotations, {
    spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    // v1 always says how many there are.
    status: {
      currentReplicas: 0,
      ...status,
      ...(current === undefined ? {} : { currentCPUUtilizationPercentage: current }),
    },
  });
}

function withParts(object: JsonObject, annotations: JsonObject, parts: JsonObject): JsonObject {
  const { annotations: _, ...metadata } = part(object, 'metadata');
  const hasSome = Object.keys(annotations).length > 0;
  return { ...object, metadata: { ...metadata, ...(hasSome ? { annotations } : {}) }, ...parts };
}

export const horizontalPodAutoscalerV1 = describe<HorizontalPodAutoscaler>(horizontalPodAutoscalersV1, {
  shortNames: ['hpa'],
  categories: ['all'],
  generation: false,
  defaults({ metadata, spec }) {
    spec.minReplicas ??= 1;
    if (metadata.annotations?.[METRICS] === undefined) spec.targetCPUUtilizationPercentage ??= DEFAULT_CPU_UTILIZATION;
  },
  validate: (object) => validateAutoscaler(toV2(object as unknown as JsonObject) as never),
  validateStatus: validateAutoscalerStatus,
  columns: autoscalerColumns((object) => toV2(object as JsonObject)),
  storedAs: {
    type: horizontalPodAutoscalers,
    toStored: (object) => ({ ...toV2(object), kind: 'HorizontalPodAutoscaler', apiVersion: 'autoscaling/v2' }),
    fromStored: (object) => ({ ...toV1(object), kind: 'HorizontalPodAutoscaler', apiVersion: 'autoscaling/v1' }),
  },
});

import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from '../../api/generated/autoscaling-v2.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isPathSegmentName } from '../../apimachinery/names.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import { each, type Findings, oneOf } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const MAX_WINDOW_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;

/** The field of a metric that holds its source, by type. */
const SOURCES = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
} as const;
const TYPES = Object.keys(SOURCES);

/** Upstream's validateHorizontalPodAutoscalerSpec. */
export function* validateAutoscaler({ spec }: HorizontalPodAutoscaler): Findings {
  const { minReplicas, maxReplicas } = spec;
  if (minReplicas !== undefined && minReplicas < 1) {
    yield fieldError.invalid(SPEC.child('minReplicas'), minReplicas, 'must be greater than or equal to 1');
  }
  if (maxReplicas < 1) yield fieldError.invalid(SPEC.child('maxReplicas'), maxReplicas, 'must be greater than 0');
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    const text = 'must be greater than or equal to `minReplicas`';
    yield fieldError.invalid(SPEC.child('maxReplicas'), maxReplicas, text);
  }
  yield* validateReference(spec.scaleTargetRef, SPEC.child('scaleTargetRef'));
  for (const [index, metric] of (spec.metrics ?? []).entries()) {
    yield* validateMetric(metric, SPEC.child('metrics').index(index));
  }
  if (spec.behavior !== undefined) yield* validateBehavior(spec.behavior, SPEC.child('behavior'));
}

function* validateReference(reference: CrossVersionObjectReference, path: FieldPath): Findings {
  for (const field of ['kind', 'name'] as const) {
    if (!reference[field]) yield fieldError.required(path.child(field));
    else yield* each(path.child(field), reference[field], isPathSegmentName);
  }
}

function* validateMetric(metric: MetricSpec, path: FieldPath): Findings {
  const { type } = metric;
  if (!type) yield fieldError.required(path.child('type'), 'must specify a metric source type');
  else if (!TYPES.includes(type)) yield fieldError.notSupported(path.child('type'), type, TYPES);
  const given = Object.values(SOURCES).filter((source) => metric[source] !== undefined);
  const expected = SOURCES[type as keyof typeof SOURCES];
  for (const source of given) {
    const at = path.child(source);
    if (given.length > 1 && source !== expected) {
      yield fieldError.forbidden(at, 'must populate the given metric source only');
    }
    yield* validateSource(metric, source, at);
  }
  const text = 'must populate information for the given metric source';
  if (expected !== undefined) {
    if (metric[expected] === undefined) yield fieldError.required(path.child(expected), text);
  } else if (type) yield fieldError.notSupported(path.child('type'), type, TYPES);
}

function* validateSource(
  metric: MetricSpec,
  source: (typeof SOURCES)[keyof typeof SOURCES],
  path: FieldPath,
): Findings {
  const { containerResource, external, object, pods, resource } = metric;
  const target = metric[source]?.target;
  const name = external?.metric.name ?? object?.metric.name ?? pods?.metric.name;
  if (source === 'external' || source === 'object' || source === 'pods') {
    if (object !== undefined && source === 'object') {
      yield* validateReference(object.describedObject, path.child('describedObject'));
    }
    if (!name) yield fieldError.required(path.child('metric', 'name'), 'must specify a metric name');
    else yield* each(path.child('metric', 'name'), name, isPathSegmentName);
  } else {
    const resourceName = resource?.name ?? containerResource?.name;
    if (!resourceName) yield fieldError.required(path.child('name'), 'must specify a resource name');
    if (source === 'containerResource' && !containerResource?.container) {
      yield fieldError.required(path.child('container'), 'must specify a container');
    }
  }
  if (target === undefined) return;
  const at = path.child('target');
  yield* validateTarget(target, at);
  const { value, averageValue, averageUtilization } = target;
  if (source === 'pods' && averageValue === undefined) {
    yield fieldError.required(at.child('averageValue'), 'must specify a positive target averageValue');
  }
  if ((source === 'external' || source === 'object') && value === undefined && averageValue === undefined) {
    yield fieldError.required(
      at.child('averageValue'),
      'must set either a target value for metric or a per-pod target',
    );
  }
  if (source === 'external' && value !== undefined && averageValue !== undefined) {
    const text = 'may not set both a target value for metric and a per-pod target';
    yield fieldError.forbidden(at.child('value'), text);
  }
  if (source !== 'resource' && source !== 'containerResource') return;
  if (averageUtilization === undefined && averageValue === undefined) {
    const text = 'must set either a target raw value or a target utilization';
    yield fieldError.required(at.child('averageUtilization'), text);
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    const text = 'may not set both a target raw value and a target utilization';
    yield fieldError.forbidden(at.child('averageValue'), text);
  }
}

function* validateTarget({ type, value, averageValue, averageUtilization }: MetricTarget, path: FieldPath): Findings {
  const types = ['AverageValue', 'Utilization', 'Value'];
  if (!type) yield fieldError.required(path.child('type'), 'must specify a metric target type');
  else if (!types.includes(type)) {
    yield fieldError.invalid(path.child('type'), type, 'must be either Utilization, Value, or AverageValue');
  }
  for (const [field, amount] of Object.entries({ value, averageValue })) {
    if (amount === undefined || parseQuantity(amount).nanos > 0n) continue;
    yield fieldError.invalid(path.child(field), amount, 'must be positive');
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    yield fieldError.invalid(path.child('averageUtilization'), averageUtilization, 'must be greater than 0');
  }
}

function* validateBehavior({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior, path: FieldPath): Findings {
  if (scaleUp !== undefined) yield* validateRules(scaleUp, path.child('scaleUp'));
  if (scaleDown !== undefined) yield* validateRules(scaleDown, path.child('scaleDown'));
}

function* validateRules(rules: HPAScalingRules, path: FieldPath): Findings {
  const { stabilizationWindowSeconds: window, selectPolicy, policies } = rules;
  const at = path.child('stabilizationWindowSeconds');
  if (window !== undefined && window < 0) yield fieldError.invalid(at, window, 'must be greater than or equal to zero');
  if (window !== undefined && window > MAX_WINDOW_SECONDS) {
    yield fieldError.invalid(at, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`);
  }
  if (selectPolicy !== undefined) yield* oneOf(path.child('selectPolicy'), selectPolicy, ['Disabled', 'Max', 'Min']);
  if ((policies ?? []).length === 0)
    yield fieldError.required(path.child('policies'), 'must specify at least one Policy');
  for (const [index, { type, value, periodSeconds }] of (policies ?? []).entries()) {
    const policy = path.child('policies').index(index);
    if (type !== 'Pods' && type !== 'Percent') {
      yield fieldError.notSupported(policy.child('type'), type, ['Percent', 'Pods']);
    }
    if (value <= 0) yield fieldError.invalid(policy.child('value'), value, 'must be greater than zero');
    if (periodSeconds <= 0) {
      yield fieldError.invalid(policy.child('periodSeconds'), periodSeconds, 'must be greater than zero');
    }
    if (periodSeconds > MAX_PERIOD_SECONDS) {
      const text = `must be less than or equal to ${MAX_PERIOD_SECONDS}`;
      yield fieldError.invalid(policy.child('periodSeconds'), periodSeconds, text);
    }
  }
}

import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
  PodsMetricSource,
} from '../../api/generated/autoscaling-v2.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isPathSegmentName } from '../../apimachinery/names.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import { containerResourceName, goQuantity } from '../core/validation/resources.ts';
import { dnsLabel, each, type Findings, nonNegative } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const MAX_WINDOW_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;
const SELECT_POLICIES = ['Disabled', 'Max', 'Min'];

/** The field of a metric that holds its source, by type; in the order in which they are looked at. */
const SOURCES = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
} as const;
const TYPES = Object.keys(SOURCES).sort();
const TARGET_TYPES = ['AverageValue', 'Utilization', 'Value'];

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
  const metrics = spec.metrics ?? [];
  for (const [index, metric] of metrics.entries()) yield* validateMetric(metric, SPEC.child('metrics').index(index));
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External')) {
    const text = 'must specify at least one Object or External metric to support scaling to zero replicas';
    yield fieldError.forbidden(SPEC.child('metrics'), text);
  }
  if (spec.behavior !== undefined) yield* validateBehavior(spec.behavior, SPEC.child('behavior'));
}

/** Upstream's ValidateHorizontalPodAutoscalerStatusUpdate. */
export function* validateAutoscalerStatus({ status }: Pick<HorizontalPodAutoscaler, 'status'>): Findings {
  for (const field of ['currentReplicas', 'desiredReplicas'] as const) {
    yield* nonNegative(FieldPath.of('status', field), status?.[field]);
  }
}

function* validateReference(reference: CrossVersionObjectReference, path: FieldPath): Findings {
  for (const field of ['kind', 'name'] as const) {
    if (!reference[field]) yield fieldError.required(path.child(field));
    else yield* each(path.child(field), reference[field], isPathSegmentName);
  }
}

function* validateMetric(metric: MetricSpec, path: FieldPath): Findings {
  const { type } = metric;
  const unknown = fieldError.notSupported(path.child('type'), type ?? '', TYPES);
  if (!type) yield fieldError.required(path.child('type'), 'must specify a metric source type');
  if (!TYPES.includes(type)) yield unknown;
  const [first, ...others] = Object.values(SOURCES).filter((source) => metric[source] !== undefined);
  // Of several sources only one is looked at.
  if (first !== undefined) yield* validateSource(metric, first, path.child(first));
  const expected = SOURCES[type as keyof typeof SOURCES];
  if (expected === undefined) yield unknown;
  else if (metric[expected] === undefined) {
    yield fieldError.required(path.child(expected), 'must populate information for the given metric source');
  }
  if (first === undefined || others.length === 0) return;
  for (const source of [first, ...others]) {
    if (source === expected) continue;
    yield fieldError.forbidden(path.child(source), 'must populate the given metric source only');
  }
}

function* validateSource(
  { containerResource, external, object, pods, resource }: MetricSpec,
  source: (typeof SOURCES)[keyof typeof SOURCES],
  path: FieldPath,
): Findings {
  if (source === 'object' && object !== undefined) {
    yield* validateReference(object.describedObject, path.child('describedObject'));
    yield* validateNamed(object, path);
    if (object.target.value === undefined && object.target.averageValue === undefined) {
      const text = 'must set either a target value or averageValue';
      yield fieldError.required(path.child('target', 'averageValue'), text);
    }
  } else if (source === 'external' && external !== undefined) {
    yield* validateNamed(external, path);
    const { value, averageValue } = external.target;
    if (value === undefined && averageValue === undefined) {
      const text = 'must set either a target value for metric or a per-pod target';
      yield fieldError.required(path.child('target', 'averageValue'), text);
    }
    if (value !== undefined && averageValue !== undefined) {
      const text = 'may not set both a target value for metric and a per-pod target';
      yield fieldError.forbidden(path.child('target', 'value'), text);
    }
  } else if (source === 'pods' && pods !== undefined) {
    yield* validateNamed(pods, path);
    if (pods.target.averageValue === undefined) {
      const text = 'must specify a positive target averageValue';
      yield fieldError.required(path.child('target', 'averageValue'), text);
    }
  } else if (source === 'resource' && resource !== undefined) {
    if (!resource.name) yield fieldError.required(path.child('name'), 'must specify a resource name');
    yield* validateUse(resource.target, path.child('target'));
  } else if (containerResource !== undefined) {
    const { name, container, target } = containerResource;
    if (!name) yield fieldError.required(path.child('name'), 'must specify a resource name');
    else yield* containerResourceName(name, path.child('name'));
    if (!container) yield fieldError.required(path.child('container'), 'must specify a container');
    else yield* dnsLabel(path.child('container'), container);
    yield* validateUse(target, path.child('target'));
  }
}

/** A metric that has a name, and its target. */
function* validateNamed({ metric, target }: PodsMetricSource, path: FieldPath): Findings {
  if (!metric.name) yield fieldError.required(path.child('metric', 'name'), 'must specify a metric name');
  else yield* each(path.child('metric', 'name'), metric.name, isPathSegmentName);
  yield* validateTarget(target, path.child('target'));
}

/** A target for the use of a resource: an amount or a part of what is requested. */
function* validateUse(target: MetricTarget, path: FieldPath): Findings {
  yield* validateTarget(target, path);
  const { averageUtilization, averageValue } = target;
  if (averageUtilization === undefined && averageValue === undefined) {
    const text = 'must set either a target raw value or a target utilization';
    yield fieldError.required(path.child('averageUtilization'), text);
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    const text = 'may not set both a target raw value and a target utilization';
    yield fieldError.forbidden(path.child('averageValue'), text);
  }
}

function* validateTarget({ type, value, averageValue, averageUtilization }: MetricTarget, path: FieldPath): Findings {
  if (!type) yield fieldError.required(path.child('type'), 'must specify a metric target type');
  if (!TARGET_TYPES.includes(type)) {
    yield fieldError.invalid(path.child('type'), type ?? '', 'must be either Utilization, Value, or AverageValue');
  }
  for (const [field, amount] of Object.entries({ value, averageValue })) {
    if (amount === undefined || parseQuantity(amount).nanos > 0n) continue;
    yield fieldError.invalid(path.child(field), goQuantity(amount), 'must be positive');
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
  const { stabilizationWindowSeconds: window, selectPolicy, policies, tolerance } = rules;
  const at = path.child('stabilizationWindowSeconds');
  if (window !== undefined && window < 0) yield fieldError.invalid(at, window, 'must be greater than or equal to zero');
  if (window !== undefined && window > MAX_WINDOW_SECONDS) {
    yield fieldError.invalid(at, window, `must be less than or equal to ${MAX_WINDOW_SECONDS}`);
  }
  if (selectPolicy !== undefined && !SELECT_POLICIES.includes(selectPolicy)) {
    yield fieldError.notSupported(path.child('selectPolicy'), selectPolicy, SELECT_POLICIES);
  }
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
  if (tolerance !== undefined && parseQuantity(tolerance).nanos < 0n) {
    yield fieldError.invalid(path.child('tolerance'), tolerance, 'must be greater than or equal to 0');
  }
}

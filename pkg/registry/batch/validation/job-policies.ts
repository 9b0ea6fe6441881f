import type {
  JobSpec,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  SuccessPolicy,
} from '../../../api/generated/batch-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, oneOf, qualifiedName } from '../../validation/rules.ts';

const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const MAX_RULES = 20;
const MAX_CODES = 255;
const MAX_PATTERNS = 20;

/** Upstream's validatePodFailurePolicy. */
export function* validateFailurePolicy(spec: JobSpec, policy: PodFailurePolicy, path: FieldPath): Findings {
  const rules = policy.rules ?? [];
  if (rules.length > MAX_RULES) yield fieldError.tooMany(path.child('rules'), rules.length, MAX_RULES);
  const { containers = [], initContainers = [] } = spec.template.spec ?? {};
  const names = new Set([...(containers ?? []), ...(initContainers ?? [])].map(({ name }) => name));
  for (const [index, rule] of rules.entries()) {
    yield* validateRule(spec, rule, names, path.child('rules').index(index));
  }
}

function* validateRule(
  spec: JobSpec,
  rule: PodFailurePolicyRule,
  names: ReadonlySet<string>,
  path: FieldPath,
): Findings {
  const { action, onExitCodes, onPodConditions } = rule;
  const at = path.child('action');
  if (!action) yield fieldError.required(at, `valid values: ${ACTIONS.map((text) => JSON.stringify(text)).join(', ')}`);
  else if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    yield fieldError.invalid(at, action, 'requires the backoffLimitPerIndex to be set');
  } else if (!ACTIONS.includes(action)) yield fieldError.notSupported(at, action, ACTIONS);
  if (onExitCodes !== undefined) yield* validateExitCodes(onExitCodes, names, path.child('onExitCodes'));
  const patterns = onPodConditions ?? [];
  if (patterns.length > MAX_PATTERNS) {
    yield fieldError.tooMany(path.child('onPodConditions'), patterns.length, MAX_PATTERNS);
  }
  for (const [index, { type, status }] of patterns.entries()) {
    const pattern = path.child('onPodConditions').index(index);
    yield* qualifiedName(pattern.child('type'), type);
    yield* oneOf(pattern.child('status'), status, ['False', 'True', 'Unknown']);
  }
  if (onExitCodes !== undefined && patterns.length > 0) {
    const text = 'specifying both OnExitCodes and OnPodConditions is not supported';
    yield fieldError.invalid(path, rule as never, text);
  }
  if (onExitCodes === undefined && patterns.length === 0) {
    yield fieldError.invalid(path, rule as never, 'specifying one of OnExitCodes and OnPodConditions is required');
  }
}

function* validateExitCodes(
  { operator, values, containerName }: PodFailurePolicyOnExitCodesRequirement,
  names: ReadonlySet<string>,
  path: FieldPath,
): Findings {
  if (!operator) yield fieldError.required(path.child('operator'), 'valid values: "In", "NotIn"');
  else if (operator !== 'In' && operator !== 'NotIn') {
    yield fieldError.notSupported(path.child('operator'), operator, ['In', 'NotIn']);
  }
  if (containerName !== undefined && !names.has(containerName)) {
    const text = 'must be one of the container or initContainer names in the pod template';
    yield fieldError.invalid(path.child('containerName'), containerName, text);
  }
  const codes = values ?? [];
  const at = path.child('values');
  if (codes.length === 0) yield fieldError.invalid(at, codes, 'at least one value is required');
  if (codes.length > MAX_CODES) yield fieldError.tooMany(at, codes.length, MAX_CODES);
  for (const [index, code] of codes.entries()) {
    if (operator === 'In' && code === 0) {
      yield fieldError.invalid(at.index(index), code, 'must not be 0 for the In operator');
    }
    if (codes.indexOf(code) < index) yield fieldError.duplicate(at.index(index), code);
    if ((codes[index - 1] ?? -Infinity) > code) yield fieldError.invalid(at, codes, 'must be ordered');
  }
}

/** Upstream's validateSuccessPolicy. */
export function* validateSuccessPolicy(spec: JobSpec, policy: SuccessPolicy, path: FieldPath): Findings {
  const rules = policy.rules ?? [];
  if (rules.length === 0)
    yield fieldError.required(
      path.child('rules'),
      'at least one rules must be specified when the successPolicy is specified',
    );
  if (rules.length > MAX_RULES) yield fieldError.tooMany(path.child('rules'), rules.length, MAX_RULES);
  for (const [index, { succeededIndexes, succeededCount }] of rules.entries()) {
    const at = path.child('rules').index(index);
    if (succeededIndexes === undefined && succeededCount === undefined) {
      const text = 'at least one of succeededCount or succeededIndexes must be specified';
      yield fieldError.required(at, text);
    }
    if (succeededCount === undefined) continue;
    if (succeededCount < 0) {
      yield fieldError.invalid(at.child('succeededCount'), succeededCount, 'must be greater than or equal to 0');
    }
    const total = spec.completions ?? 0;
    if (succeededCount > total) {
      const text = `must be less than or equal to ${total} (the number of specified completions)`;
      yield fieldError.invalid(at.child('succeededCount'), succeededCount, text);
    }
  }
}

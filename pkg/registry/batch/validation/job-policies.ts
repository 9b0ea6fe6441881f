import type {
  JobSpec,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  SuccessPolicy,
  SuccessPolicyRule,
} from '../../../api/generated/batch-v1.ts';
import { fieldError, goNumberSlice } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, nonNegative, qualifiedName } from '../../validation/rules.ts';
import { countIndexes } from './indexes.ts';

const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const STATUSES = ['False', 'True', 'Unknown'];
const OPERATORS = ['In', 'NotIn'];
const MAX_RULES = 20;
const MAX_INDEXES_TEXT = 64 * 1024;
const MAX_CODES = 255;
const MAX_PATTERNS = 20;

/** The list as Go's `%q` prints it. */
const validValues = (values: readonly string[]): string =>
  `valid values: [${values.map((text) => JSON.stringify(text)).join(' ')}]`;

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
  if (!action) yield fieldError.required(at, validValues(ACTIONS));
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
    if (!status) yield fieldError.required(pattern.child('status'), validValues(STATUSES));
    else if (!STATUSES.includes(status)) yield fieldError.notSupported(pattern.child('status'), status, STATUSES);
  }
  if (onExitCodes !== undefined && patterns.length > 0) {
    yield fieldError.invalidWhole(path, 'specifying both OnExitCodes and OnPodConditions is not supported');
  }
  if (onExitCodes === undefined && patterns.length === 0) {
    yield fieldError.invalidWhole(path, 'specifying one of OnExitCodes and OnPodConditions is required');
  }
}

function* validateExitCodes(
  { operator, values, containerName }: PodFailurePolicyOnExitCodesRequirement,
  names: ReadonlySet<string>,
  path: FieldPath,
): Findings {
  if (!operator) yield fieldError.required(path.child('operator'), validValues(OPERATORS));
  else if (!OPERATORS.includes(operator)) {
    yield fieldError.notSupported(path.child('operator'), operator, OPERATORS);
  }
  if (containerName !== undefined && !names.has(containerName)) {
    const text = 'must be one of the container or initContainer names in the pod template';
    yield fieldError.invalid(path.child('containerName'), containerName, text);
  }
  const codes = values ?? [];
  const at = path.child('values');
  if (codes.length === 0) yield fieldError.invalid(at, goNumberSlice(values), 'at least one value is required');
  if (codes.length > MAX_CODES) yield fieldError.tooMany(at, codes.length, MAX_CODES);
  for (const [index, code] of codes.entries()) {
    if (operator === 'In' && code === 0) {
      yield fieldError.invalid(at.index(index), code, 'must not be 0 for the In operator');
    }
    if (codes.indexOf(code) < index) yield fieldError.duplicate(at.index(index), code);
  }
  const isOrdered = codes.every((code, index) => code >= (codes[index - 1] ?? code));
  if (!isOrdered) yield fieldError.invalid(at, goNumberSlice(codes), 'must be ordered');
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
  for (const [index, rule] of rules.entries()) {
    yield* validateSuccessRule(rule, spec.completions ?? 0, path.child('rules').index(index));
  }
}

function* validateSuccessRule(
  { succeededIndexes, succeededCount }: SuccessPolicyRule,
  completions: number,
  path: FieldPath,
): Findings {
  if (succeededIndexes === undefined && succeededCount === undefined) {
    yield fieldError.required(path, 'at least one of succeededCount or succeededIndexes must be specified');
  }
  let named: number | undefined;
  if (succeededIndexes !== undefined) {
    const at = path.child('succeededIndexes');
    if (Buffer.byteLength(succeededIndexes) > MAX_INDEXES_TEXT) yield fieldError.tooLong(at, MAX_INDEXES_TEXT);
    const count = countIndexes(succeededIndexes, completions);
    named = typeof count === 'number' ? count : 0;
    if (typeof count === 'string') {
      yield fieldError.invalid(at, succeededIndexes, `error parsing succeededIndexes: ${count}`);
    }
  }
  if (succeededCount === undefined) return;
  const at = path.child('succeededCount');
  yield* nonNegative(at, succeededCount);
  const limits = [
    [completions, 'the number of specified completions'],
    [named ?? succeededCount, 'the number of indexes in the specified succeededIndexes field'],
  ] as const;
  for (const [limit, what] of limits) {
    if (succeededCount <= limit) continue;
    yield fieldError.invalid(at, succeededCount, `must be less than or equal to ${limit} (${what})`);
  }
}

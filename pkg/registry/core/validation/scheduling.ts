/** What a Pod says about where it may run, besides affinity. */
import type { PodSchedulingGate, Toleration, TopologySpreadConstraint } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isLabelValue, isQualifiedName } from '../../../apimachinery/names.ts';
import { each, type Findings, positive } from '../../validation/rules.ts';
import { validateMatchLabelKeys } from './label-keys.ts';

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const OPERATORS = ['Equal', 'Exists'];
const ACTIONS = ['DoNotSchedule', 'ScheduleAnyway'];
const INCLUSION_POLICIES = ['Honor', 'Ignore'];

/** Upstream's ValidateTolerations. */
export function* validateTolerations(tolerations: readonly Toleration[], path: FieldPath): Findings {
  for (const [index, toleration] of tolerations.entries()) {
    const at = path.index(index);
    const { key, operator, value = '', effect, tolerationSeconds } = toleration;
    if (key) yield* each(at.child('key'), key, isQualifiedName);
    if (!key && operator !== 'Exists') {
      const text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      yield fieldError.invalid(at.child('operator'), operator ?? '', text);
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      const text = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      yield fieldError.invalid(at.child('effect'), effect ?? '', text);
    }
    if (!operator || operator === 'Equal') {
      const wrong = isLabelValue(value);
      if (wrong.length > 0) yield fieldError.invalid(at.child('operator'), value, wrong.join(';'));
    } else if (operator === 'Exists') {
      const text = "value must be empty when `operator` is 'Exists'";
      if (value !== '') yield fieldError.invalid(at.child('operator'), value, text);
    } else {
      yield fieldError.notSupported(at.child('operator'), operator, OPERATORS);
    }
    if (effect && !EFFECTS.includes(effect)) yield fieldError.notSupported(at.child('effect'), effect, EFFECTS);
  }
}

/** Upstream's validateTopologySpreadConstraints. */
export function* validateSpread(constraints: readonly TopologySpreadConstraint[], path: FieldPath): Findings {
  for (const [index, constraint] of constraints.entries()) {
    const at = path.index(index);
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
    yield* positive(at.child('maxSkew'), maxSkew);
    if (!topologyKey) yield fieldError.required(at.child('topologyKey'), 'can not be empty');
    if (!ACTIONS.includes(whenUnsatisfiable)) {
      yield fieldError.notSupported(at.child('whenUnsatisfiable'), whenUnsatisfiable, ACTIONS);
    }
    const repeated = constraints
      .slice(index + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable);
    if (repeated) {
      const pair = at.child('{topologyKey, whenUnsatisfiable}');
      yield fieldError.duplicate(pair, `{${topologyKey}, ${whenUnsatisfiable}}`);
    }
    if (minDomains !== undefined) yield* validateMinDomains(minDomains, whenUnsatisfiable, at.child('minDomains'));
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const policy = constraint[field];
      if (policy !== undefined && !INCLUSION_POLICIES.includes(policy)) {
        yield fieldError.notSupported(at.child(field), policy, INCLUSION_POLICIES);
      }
    }
    yield* validateMatchLabelKeys(constraint, at);
    yield* validateLabelSelector(constraint.labelSelector, at.child('labelSelector'));
  }
}

function* validateMinDomains(value: number, action: string, path: FieldPath): Findings {
  yield* positive(path, value);
  if (action !== 'DoNotSchedule') {
    const text = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
    yield fieldError.invalid(path, value, text);
  }
}

/** Upstream's validateSchedulingGates. */
export function* validateGates(gates: readonly PodSchedulingGate[], path: FieldPath): Findings {
  const seen = new Set<string>();
  for (const [index, { name }] of gates.entries()) {
    yield* each(path.index(index), name, isQualifiedName);
    if (seen.has(name)) yield fieldError.duplicate(path.index(index), name);
    seen.add(name);
  }
}

import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
} from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName } from '../../../apimachinery/names.ts';
import { each, type Findings } from '../../validation/rules.ts';
import { validateMatchLabelKeys } from './label-keys.ts';

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

/** Upstream's validateAffinity. */
export function* validateAffinity(affinity: Affinity | undefined, path: FieldPath): Findings {
  if (affinity === undefined) return;
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  if (nodeAffinity !== undefined) {
    const at = path.child('nodeAffinity');
    const needed = nodeAffinity[REQUIRED];
    if (needed !== undefined) yield* validateNodeSelector(needed, at.child(REQUIRED));
    for (const [index, { weight, preference }] of (nodeAffinity[PREFERRED] ?? []).entries()) {
      const term = at.child(PREFERRED).index(index);
      yield* validateWeight(weight, term);
      yield* validateNodeTerm(preference, term.child('preference'), false);
    }
  }
  if (podAffinity !== undefined) yield* validatePodAffinity(podAffinity, path.child('podAffinity'));
  if (podAntiAffinity !== undefined) yield* validatePodAffinity(podAntiAffinity, path.child('podAntiAffinity'));
}

function* validateWeight(weight: number, path: FieldPath): Findings {
  if (weight <= 0 || weight > 100) {
    yield fieldError.invalid(path.child('weight'), weight, 'must be in the range 1-100');
  }
}

/** Upstream's ValidateNodeSelector; for Pods and for volumes. */
export function* validateNodeSelector(selector: NodeSelector, path: FieldPath): Findings {
  const terms = path.child('nodeSelectorTerms');
  if ((selector.nodeSelectorTerms ?? []).length === 0) {
    return yield fieldError.required(terms, 'must have at least one node selector term');
  }
  for (const [index, term] of selector.nodeSelectorTerms.entries()) {
    yield* validateNodeTerm(term, terms.index(index), true);
  }
}

function* validateNodeTerm(term: NodeSelectorTerm, path: FieldPath, strictValues: boolean): Findings {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries()) {
    yield* validateNodeRequirement(requirement, path.child('matchExpressions').index(index), strictValues);
  }
  for (const [index, requirement] of (term.matchFields ?? []).entries()) {
    yield* validateFieldRequirement(requirement, path.child('matchFields').index(index));
  }
}

function* validateNodeRequirement(
  { key, operator, values = [] }: NodeSelectorRequirement,
  path: FieldPath,
  strictValues: boolean,
): Findings {
  const at = path.child('values');
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) yield fieldError.required(at, "must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case 'Exists':
    case 'DoesNotExist': {
      const text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      if (values.length > 0) yield fieldError.forbidden(at, text);
      break;
    }
    case 'Gt':
    case 'Lt': {
      const text = "must be specified single value when `operator` is 'Lt' or 'Gt'";
      if (values.length !== 1) yield fieldError.required(at, text);
      break;
    }
    default:
      yield fieldError.invalid(path.child('operator'), operator, 'not a valid selector operator');
  }
  yield* each(path.child('key'), key, isQualifiedName);
  if (!strictValues) return;
  for (const [index, value] of values.entries()) yield* each(at.index(index), value, isLabelValue);
}

function* validateFieldRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: FieldPath): Findings {
  const at = path.child('values');
  if (operator !== 'In' && operator !== 'NotIn') {
    yield fieldError.invalid(path.child('operator'), operator, 'not a valid selector operator');
  } else if (values.length !== 1) {
    const text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    yield fieldError.required(at, text);
  }
  if (key !== 'metadata.name') {
    yield fieldError.invalid(path.child('key'), key, 'not a valid field selector key');
  } else {
    for (const [index, value] of values.entries()) yield* each(at.index(index), value, isDns1123Subdomain);
  }
}

function* validatePodAffinity(affinity: PodAffinity, path: FieldPath): Findings {
  for (const [index, term] of (affinity[REQUIRED] ?? []).entries()) {
    yield* validatePodTerm(term, path.child(REQUIRED).index(index));
  }
  for (const [index, { weight, podAffinityTerm }] of (affinity[PREFERRED] ?? []).entries()) {
    const at = path.child(PREFERRED).index(index);
    yield* validateWeight(weight, at);
    yield* validatePodTerm(podAffinityTerm, at.child('podAffinityTerm'));
  }
}

function* validatePodTerm(term: PodAffinityTerm, path: FieldPath): Findings {
  yield* validateLabelSelector(term.labelSelector, path.child('labelSelector'));
  yield* validateLabelSelector(term.namespaceSelector, path.child('namespaceSelector'));
  for (const name of term.namespaces ?? []) yield* each(path.child('namespace'), name, isDns1123Label);
  yield* validateMatchLabelKeys(term, path);
  if (!term.topologyKey) yield fieldError.required(path.child('topologyKey'), 'can not be empty');
  yield* each(path.child('topologyKey'), term.topologyKey, isQualifiedName);
}

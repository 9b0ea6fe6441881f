import type { ClusterRole, PolicyRule, RoleBinding, Subject } from '../../api/generated/rbac-v1.ts';
import { fieldError, goStringSlice } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { isPathSegmentName } from '../../apimachinery/names.ts';
import type { UpdateStep } from '../descriptor.ts';
import { dnsSubdomain, each, type Findings, unchanged } from '../validation/rules.ts';

const GROUP = 'rbac.authorization.k8s.io';
const RULES = FieldPath.of('rules');
const ROLE_REF = FieldPath.of('roleRef');

/** Upstream's ValidateRole and ValidateClusterRole. */
export function* validateRole(role: Pick<ClusterRole, 'rules' | 'aggregationRule'>, isNamespaced: boolean): Findings {
  for (const [index, rule] of (role.rules ?? []).entries()) yield* validateRule(rule, isNamespaced, RULES.index(index));
  if (role.aggregationRule === undefined) return;
  const path = FieldPath.of('aggregationRule', 'clusterRoleSelectors');
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) {
    yield fieldError.required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil');
  }
  for (const [index, selector] of selectors.entries()) {
    const wrong = validateLabelSelector(selector, path.index(index));
    yield* wrong;
    if (wrong.length > 0) yield fieldError.invalid(path.index(index), undefined, 'invalid label selector.');
  }
}

function* validateRule(rule: PolicyRule, isNamespaced: boolean, path: FieldPath): Findings {
  const { verbs, apiGroups, resources, nonResourceURLs, resourceNames } = rule;
  if ((verbs ?? []).length === 0) {
    yield fieldError.required(path.child('verbs'), 'verbs must contain at least one value');
  }
  if ((nonResourceURLs ?? []).length > 0) {
    const at = path.child('nonResourceURLs');
    const urls = goStringSlice(nonResourceURLs);
    if (isNamespaced) {
      yield fieldError.invalid(at, urls, 'namespaced rules cannot apply to non-resource URLs');
    }
    if ((apiGroups ?? []).length > 0 || (resources ?? []).length > 0 || (resourceNames ?? []).length > 0) {
      yield fieldError.invalid(at, urls, 'rules cannot apply to both regular resources and non-resource URLs');
    }
    return;
  }
  if ((apiGroups ?? []).length === 0) {
    yield fieldError.required(path.child('apiGroups'), 'resource rules must supply at least one api group');
  }
  if ((resources ?? []).length === 0) {
    yield fieldError.required(path.child('resources'), 'resource rules must supply at least one resource');
  }
}

/** Upstream's ValidateRoleBinding and ValidateClusterRoleBinding. */
export function* validateBinding({ roleRef, subjects }: RoleBinding, isNamespaced: boolean): Findings {
  const { apiGroup, kind, name } = roleRef;
  if (apiGroup !== GROUP) yield fieldError.notSupported(ROLE_REF.child('apiGroup'), apiGroup, [GROUP]);
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  if (!kinds.includes(kind)) yield fieldError.notSupported(ROLE_REF.child('kind'), kind, kinds);
  if (!name) yield fieldError.required(ROLE_REF.child('name'));
  else yield* each(ROLE_REF.child('name'), name, isPathSegmentName);
  for (const [index, subject] of (subjects ?? []).entries()) {
    yield* validateSubject(subject, isNamespaced, FieldPath.of('subjects').index(index));
  }
}

function* validateSubject(subject: Subject, isNamespaced: boolean, path: FieldPath): Findings {
  const { kind, name, namespace, apiGroup = '' } = subject;
  if (!name) yield fieldError.required(path.child('name'));
  if (kind === 'ServiceAccount') {
    if (name) yield* dnsSubdomain(path.child('name'), name);
    if (apiGroup !== '') yield fieldError.notSupported(path.child('apiGroup'), apiGroup, ['']);
    if (!isNamespaced && !namespace) yield fieldError.required(path.child('namespace'));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== GROUP) yield fieldError.notSupported(path.child('apiGroup'), apiGroup, [GROUP]);
  } else yield fieldError.notSupported(path.child('kind'), kind, ['ServiceAccount', 'User', 'Group']);
}

/** In which order an update of any kind of this group is judged: twice over. */
export const UPDATE_STEPS: readonly UpdateStep[] = ['object', 'object', 'metadata', 'change'];

/** What a binding grants is fixed; to whom is not. */
export function* validateBindingUpdate(binding: RoleBinding, old: RoleBinding): Findings {
  const changed = unchanged(ROLE_REF, binding.roleRef, old.roleRef).next().done !== true;
  if (changed) yield fieldError.invalid(ROLE_REF, binding.roleRef as never, 'cannot change roleRef');
}

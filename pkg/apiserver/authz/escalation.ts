import type { PolicyRule } from '../../api/generated/rbac-v1.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { type GroupResource, statusErrors } from '../../apimachinery/status-error.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { SYSTEM_MASTERS } from '../authn/user.ts';
import type { Authorizer } from './attributes.ts';
import type { RBACAuthorizer } from './rbac.ts';
import type { RBACIndex } from './rbac-index.ts';
import { describeRules, uncoveredRules } from './rules.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** Aggregation can add any rule later, so who sets it up must hold everything already. */
const FULL_AUTHORITY: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

export interface EscalationContext {
  readonly user: UserInfo;
  readonly authorizer: Authorizer;
  readonly rbac: RBACAuthorizer;
  readonly index: RBACIndex;
}

/** A Role or ClusterRole about to be written. */
export interface RoleWrite {
  readonly kind: 'Role' | 'ClusterRole';
  readonly name: string;
  /** Empty for a ClusterRole. */
  readonly namespace: string;
  readonly rules: readonly PolicyRule[];
  readonly aggregates: boolean;
}

/** A RoleBinding or ClusterRoleBinding about to be written. */
export interface BindingWrite {
  readonly kind: 'RoleBinding' | 'ClusterRoleBinding';
  readonly name: string;
  /** Empty for a ClusterRoleBinding. */
  readonly namespace: string;
  readonly roleRef: { readonly kind: string; readonly name: string };
}

function resourceOf(kind: string): GroupResource {
  return { group: RBAC_GROUP, resource: `${kind.toLowerCase()}s` };
}

function allowed(context: EscalationContext, verb: string, kind: string, name: string, namespace: string): boolean {
  const attributes = {
    user: context.user,
    verb,
    apiGroup: RBAC_GROUP,
    apiVersion: 'v1',
    resource: resourceOf(kind).resource,
    subresource: '',
    namespace,
    name,
  };
  return context.authorizer.authorize(attributes).decision === 'allow';
}

function confirmNoEscalation(
  context: EscalationContext,
  rules: readonly PolicyRule[],
  written: { readonly kind: string; readonly name: string; readonly namespace: string },
): void {
  const { user } = context;
  const owned = context.rbac.rulesFor(user, written.namespace);
  const missing = uncoveredRules(owned.rules, rules);
  if (missing.length === 0) return;
  const groups = user.groups.map(goQuote).join(' ');
  const errors = owned.errors.length === 0 ? '' : `; resolution errors: [${owned.errors.join(' ')}]`;
  throw statusErrors.forbidden(
    resourceOf(written.kind),
    written.name,
    `user ${goQuote(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${describeRules(missing).join('\n')}${errors}`,
  );
}

/**
 * Throws StatusError 403 when the user would write a role that allows more than the user holds, without the `escalate`
 * verb on it. Not to be called for an update that leaves the rules as they were.
 */
export function checkRoleEscalation(context: EscalationContext, role: RoleWrite): void {
  if (context.user.groups.includes(SYSTEM_MASTERS)) return;
  if (allowed(context, 'escalate', role.kind, role.name, role.namespace)) return;
  confirmNoEscalation(context, role.rules, role);
  if (role.aggregates) confirmNoEscalation(context, FULL_AUTHORITY, role);
}

/**
 * Throws StatusError 403 when the user would bind a role that allows more than the user holds, without the `bind` verb on
 * it, and 404 when the role does not exist.
 */
export function checkBindingEscalation(context: EscalationContext, binding: BindingWrite): void {
  if (context.user.groups.includes(SYSTEM_MASTERS)) return;
  const { roleRef, namespace } = binding;
  if (allowed(context, 'bind', roleRef.kind, roleRef.name, namespace)) return;
  const rules = context.index.rulesOf(roleRef, namespace);
  if (rules === undefined) throw statusErrors.notFound(resourceOf(binding.kind), roleRef.name);
  confirmNoEscalation(context, rules, binding);
}

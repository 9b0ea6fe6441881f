import type { ClusterRole, RoleBinding } from '../../api/generated/rbac-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import type { Authorization } from '../authz/authorization.ts';
import { checkBindingEscalation, checkRoleEscalation } from '../authz/escalation.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

/** Upstream's policy-based storage of the RBAC kinds: nobody grants what they do not hold themselves. */
export function roleEscalation(authorization: Authorization): AdmissionPlugin {
  return {
    name: 'RoleEscalation',
    mutate(attributes) {
      const { descriptor, operation, user } = attributes;
      if (operation === 'DELETE' || descriptor.type.group !== 'rbac.authorization.k8s.io') return;
      const context = { user, ...authorization };
      const { kind } = descriptor.type;
      if (kind === 'Role' || kind === 'ClusterRole') checkRole(attributes, kind, context);
      else if (kind === 'RoleBinding' || kind === 'ClusterRoleBinding') checkBinding(attributes, kind, context);
    },
  };
}

type Context = Parameters<typeof checkRoleEscalation>[0];

function checkRole(
  { object, old, namespace = '' }: AdmissionAttributes,
  kind: 'Role' | 'ClusterRole',
  context: Context,
) {
  const role = object as ClusterRole;
  const before = old as ClusterRole | undefined;
  const unchanged =
    before !== undefined &&
    semanticEqual(role.rules, before.rules) &&
    semanticEqual(role.aggregationRule, before.aggregationRule);
  if (unchanged) return;
  const aggregates = role.aggregationRule !== undefined;
  checkRoleEscalation(context, { kind, name: role.metadata.name, namespace, rules: role.rules ?? [], aggregates });
}

function checkBinding(
  { object, old, namespace = '' }: AdmissionAttributes,
  kind: 'RoleBinding' | 'ClusterRoleBinding',
  context: Context,
): void {
  const { roleRef, subjects, metadata } = object as RoleBinding;
  const before = old as RoleBinding | undefined;
  // Taking subjects away, or none of them changing, grants nothing.
  if (before !== undefined && semanticEqual(roleRef, before.roleRef) && semanticEqual(subjects, before.subjects))
    return;
  checkBindingEscalation(context, { kind, name: metadata.name, namespace, roleRef });
}

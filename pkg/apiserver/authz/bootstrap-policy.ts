import type {
  AggregationRule,
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../api/generated/rbac-v1.ts';
import type { Input } from '../../api/types.ts';
import { ALL_AUTHENTICATED, ALL_SERVICE_ACCOUNTS, ALL_UNAUTHENTICATED, SYSTEM_MASTERS } from '../authn/user.ts';
import { CLUSTER_ROLES } from './policy-cluster-roles.ts';
import { CONTROLLER_RULES } from './policy-controller-roles.ts';
import { aggregateLabel, type RoleFacts, rule, WRITE_EVENTS } from './policy-facts.ts';
import { KEDGE_CLUSTER_BINDINGS, KEDGE_CLUSTER_ROLES, KEDGE_SYSTEM_ROLES } from './policy-kedge.ts';

/** The roles and bindings every cluster has; the API server's own, without which nobody could do anything. */
export interface BootstrapPolicy {
  readonly clusterRoles: readonly Input<ClusterRole>[];
  readonly clusterRoleBindings: readonly Input<ClusterRoleBinding>[];
  readonly roles: readonly Input<Role>[];
  readonly roleBindings: readonly Input<RoleBinding>[];
}

const RBAC_GROUP = 'rbac.authorization.k8s.io';
/** Set to `false` by an administrator, it makes the reconciler leave the object alone. */
export const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const KUBE_SYSTEM = 'kube-system';
const KUBE_PUBLIC = 'kube-public';

const LEADER_RULES = [
  rule('create get list update watch', 'coordination.k8s.io', 'leases'),
  rule('create get list update watch', 'coordination.k8s.io', 'leasecandidates'),
];

function user(name: string): Subject {
  return { kind: 'User', apiGroup: RBAC_GROUP, name };
}

function group(name: string): Subject {
  return { kind: 'Group', apiGroup: RBAC_GROUP, name };
}

function account(name: string): Subject {
  return { kind: 'ServiceAccount', name, namespace: KUBE_SYSTEM };
}

/** Cluster-wide bindings; each is called like its role. */
const CLUSTER_BINDINGS: readonly { name: string; subjects: readonly Subject[] }[] = [
  { name: 'cluster-admin', subjects: [group(SYSTEM_MASTERS)] },
  { name: 'system:monitoring', subjects: [group('system:monitoring')] },
  { name: 'system:discovery', subjects: [group(ALL_AUTHENTICATED)] },
  { name: 'system:basic-user', subjects: [group(ALL_AUTHENTICATED)] },
  { name: 'system:public-info-viewer', subjects: [group(ALL_AUTHENTICATED), group(ALL_UNAUTHENTICATED)] },
  { name: 'system:node-proxier', subjects: [user('system:kube-proxy')] },
  { name: 'system:node-proxier:networking.k8s.io', subjects: [user('system:kube-proxy')] },
  { name: 'system:kube-controller-manager', subjects: [user('system:kube-controller-manager')] },
  { name: 'system:kube-dns', subjects: [account('kube-dns')] },
  { name: 'system:kube-scheduler', subjects: [user('system:kube-scheduler')] },
  { name: 'system:volume-scheduler', subjects: [user('system:kube-scheduler')] },
  // Kubelets are authorized by the Node authorizer; the binding without subjects is there for those who switch it off.
  { name: 'system:node', subjects: [] },
  { name: 'system:service-account-issuer-discovery', subjects: [group(ALL_SERVICE_ACCOUNTS)] },
];

const NAMESPACED: readonly {
  namespace: string;
  role: string;
  binding?: string;
  rules: readonly PolicyRule[];
  subjects: readonly Subject[];
}[] = [
  {
    namespace: KUBE_SYSTEM,
    role: 'extension-apiserver-authentication-reader',
    binding: 'system::extension-apiserver-authentication-reader',
    rules: [rule('get list watch', 'core', 'configmaps', 'extension-apiserver-authentication')],
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler')],
  },
  {
    namespace: KUBE_SYSTEM,
    role: 'system::leader-locking-kube-controller-manager',
    rules: LEADER_RULES,
    subjects: [
      user('system:kube-controller-manager'),
      account('kube-controller-manager'),
      account('leader-election-controller'),
    ],
  },
  {
    namespace: KUBE_SYSTEM,
    role: 'system::leader-locking-kube-scheduler',
    rules: LEADER_RULES,
    subjects: [user('system:kube-scheduler'), account('kube-scheduler')],
  },
  {
    namespace: KUBE_SYSTEM,
    role: 'system:controller:bootstrap-signer',
    rules: [rule('get list watch', 'core', 'secrets')],
    subjects: [account('bootstrap-signer')],
  },
  {
    namespace: KUBE_SYSTEM,
    role: 'system:controller:cloud-provider',
    rules: [rule('create get list watch', 'core', 'configmaps')],
    subjects: [account('cloud-provider')],
  },
  {
    namespace: KUBE_SYSTEM,
    role: 'system:controller:token-cleaner',
    rules: [rule('delete get list watch', 'core', 'secrets'), WRITE_EVENTS],
    subjects: [account('token-cleaner')],
  },
  {
    namespace: KUBE_PUBLIC,
    role: 'system:controller:bootstrap-signer',
    rules: [
      rule('get list watch', 'core', 'configmaps'),
      rule('update', 'core', 'configmaps', 'cluster-info'),
      WRITE_EVENTS,
    ],
    subjects: [account('bootstrap-signer')],
  },
];

interface PolicyMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

function meta(name: string, namespace?: string, labels: Readonly<Record<string, string>> = {}): PolicyMeta {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { [AUTOUPDATE]: 'true' },
  };
}

function clusterRole({ name, rules, labels, aggregates }: RoleFacts): Input<ClusterRole> {
  const aggregationRule: AggregationRule | undefined = aggregates && {
    clusterRoleSelectors: [{ matchLabels: { [aggregateLabel(aggregates)]: 'true' } }],
  };
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: 'ClusterRole',
    metadata: meta(name, undefined, labels),
    // The rules of a role that sums up others belong to the aggregation controller.
    ...(aggregationRule === undefined ? { rules: [...rules] } : { aggregationRule }),
  };
}

function clusterRoleBinding(name: string, role: string, subjects: readonly Subject[]): Input<ClusterRoleBinding> {
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: meta(name),
    ...(subjects.length > 0 && { subjects: [...subjects] }),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: role },
  };
}

/** Upstream's default roles and bindings of Kubernetes 1.36 with its default feature gates, and kedge's own. */
export function bootstrapPolicy(): BootstrapPolicy {
  const controllers = Object.entries(CONTROLLER_RULES);
  const namespaced = [
    ...NAMESPACED,
    ...KEDGE_SYSTEM_ROLES.map(({ account: name, rules }) => {
      const role = `system:kedge:${name}`;
      return { namespace: KUBE_SYSTEM, role, binding: role, rules, subjects: [account(name)] };
    }),
  ];
  return {
    clusterRoles: [
      ...CLUSTER_ROLES.map(clusterRole),
      ...KEDGE_CLUSTER_ROLES.map(clusterRole),
      ...controllers.map(([name, rules]) => clusterRole({ name: `system:controller:${name}`, rules })),
    ],
    clusterRoleBindings: [
      ...CLUSTER_BINDINGS.map(({ name, subjects }) => clusterRoleBinding(name, name, subjects)),
      ...controllers.map(([name]) => {
        const role = `system:controller:${name}`;
        return clusterRoleBinding(role, role, [account(name)]);
      }),
      ...KEDGE_CLUSTER_BINDINGS.map(({ name, role, groups = [], accounts = [] }) =>
        clusterRoleBinding(name, role, [...groups.map(group), ...accounts.map(account)]),
      ),
    ],
    roles: namespaced.map(({ namespace, role, rules }) => ({
      apiVersion: `${RBAC_GROUP}/v1`,
      kind: 'Role',
      metadata: meta(role, namespace),
      rules: [...rules],
    })),
    roleBindings: namespaced.map(({ namespace, role, binding, subjects }) => ({
      apiVersion: `${RBAC_GROUP}/v1`,
      kind: 'RoleBinding',
      metadata: meta(binding ?? role, namespace),
      subjects: [...subjects],
      roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name: role },
    })),
  };
}

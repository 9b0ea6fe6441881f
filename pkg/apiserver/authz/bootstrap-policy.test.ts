import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole, ClusterRoleBinding } from '../../api/generated/rbac-v1.ts';
import { bootstrapPolicy } from './bootstrap-policy.ts';
import { planBootstrapPolicy, type StoredPolicy } from './policy-reconcile.ts';

const EMPTY: StoredPolicy = { clusterRoles: [], clusterRoleBindings: [], roles: [], roleBindings: [] };
const policy = bootstrapPolicy();

function stored(): StoredPolicy {
  return structuredClone(policy) as StoredPolicy;
}

function clusterRole(from: StoredPolicy, name: string): ClusterRole {
  const role = from.clusterRoles.find(({ metadata }) => metadata.name === name);
  assert.ok(role, name);
  return role;
}

function clusterRoleBinding(from: StoredPolicy, name: string): ClusterRoleBinding {
  const binding = from.clusterRoleBindings.find(({ metadata }) => metadata.name === name);
  assert.ok(binding, name);
  return binding;
}

test('everything is created on an empty cluster and nothing on a complete one', () => {
  const plan = planBootstrapPolicy(EMPTY, policy);
  const count =
    policy.clusterRoles.length + policy.clusterRoleBindings.length + policy.roles.length + policy.roleBindings.length;
  assert.equal(plan.length, count);
  assert.ok(plan.every(({ action }) => action === 'create'));
  assert.deepEqual(planBootstrapPolicy(stored(), policy), []);
});

test('names are unique and every binding has its role', () => {
  const names = policy.clusterRoles.map(({ metadata }) => metadata?.name);
  assert.equal(new Set(names).size, names.length);
  for (const { roleRef } of policy.clusterRoleBindings) assert.ok(names.includes(roleRef?.name), roleRef?.name);
  const local = policy.roles.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`);
  for (const { metadata, roleRef } of policy.roleBindings) {
    assert.ok(local.includes(`${metadata?.namespace}/${roleRef?.name}`));
  }
});

test('default roles read as a recorded API server shows them', () => {
  const role = clusterRole(stored(), 'view');
  assert.deepEqual(role.metadata.labels, {
    'kubernetes.io/bootstrapping': 'rbac-defaults',
    'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
  });
  assert.deepEqual(role.metadata.annotations, { 'rbac.authorization.kubernetes.io/autoupdate': 'true' });
  assert.deepEqual(role.aggregationRule, {
    clusterRoleSelectors: [{ matchLabels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } }],
  });
  assert.deepEqual(clusterRole(stored(), 'system:node-proxier').rules, [
    { verbs: ['list', 'watch'], apiGroups: [''], resources: ['endpoints', 'services'] },
    { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['nodes'] },
    { verbs: ['create', 'patch', 'update'], apiGroups: ['', 'events.k8s.io'], resources: ['events'] },
    { verbs: ['list', 'watch'], apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'] },
  ]);
});

test('what was taken away comes back, what was added stays', () => {
  const changed = stored();
  const role = clusterRole(changed, 'system:kube-dns');
  role.rules = [
    { verbs: ['list'], apiGroups: [''], resources: ['endpoints', 'services'] },
    { verbs: ['get'], apiGroups: [''], resources: ['pods'] },
  ];
  role.metadata.labels = { team: 'x' };
  const binding = clusterRoleBinding(changed, 'system:kube-dns');
  binding.subjects = [{ kind: 'User', name: 'extra' }];
  const plan = planBootstrapPolicy(changed, policy);
  assert.deepEqual(
    plan.map(({ action, type, object }) => `${action} ${type.resource} ${object.metadata?.name}`),
    ['update clusterroles system:kube-dns', 'update clusterrolebindings system:kube-dns'],
  );
  const [first, second] = plan.map(({ object }) => object) as [ClusterRole, ClusterRoleBinding];
  assert.deepEqual(first.rules?.slice(2), [
    { verbs: ['watch'], apiGroups: [''], resources: ['endpoints'] },
    { verbs: ['watch'], apiGroups: [''], resources: ['services'] },
  ]);
  assert.deepEqual(first.metadata.labels, { 'kubernetes.io/bootstrapping': 'rbac-defaults', team: 'x' });
  assert.deepEqual(
    second.subjects?.map(({ name }) => name),
    ['extra', 'kube-dns'],
  );
});

test('a binding to another role is made anew, a protected object is left alone', () => {
  const changed = stored();
  const binding = clusterRoleBinding(changed, 'system:discovery');
  binding.roleRef = { ...binding.roleRef, name: 'cluster-admin' };
  const role = clusterRole(changed, 'system:discovery');
  role.rules = [];
  role.metadata.annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
  const plan = planBootstrapPolicy(changed, policy);
  assert.deepEqual(
    plan.map(({ action, object }) => `${action} ${object.kind}`),
    ['recreate ClusterRoleBinding'],
  );
});

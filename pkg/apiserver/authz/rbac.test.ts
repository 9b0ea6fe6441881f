import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/generated/rbac-v1.ts';
import type { Attributes } from './attributes.ts';
import { requireAuthorized, unionAuthorizer } from './authorizer.ts';
import { bootstrapPolicy } from './bootstrap-policy.ts';
import { FakeSource } from './change-source.fake.ts';
import { checkBindingEscalation, checkRoleEscalation, type EscalationContext } from './escalation.ts';
import { RBACAuthorizer, rulesReviewStatus } from './rbac.ts';
import { RBACIndex } from './rbac-index.ts';

const ann = { name: 'ann', groups: ['system:authenticated'] };
let sources: {
  clusterRoles: FakeSource<ClusterRole>;
  clusterRoleBindings: FakeSource<ClusterRoleBinding>;
  roles: FakeSource<Role>;
  roleBindings: FakeSource<RoleBinding>;
};
let index: RBACIndex;
let rbac: RBACAuthorizer;

function binding(name: string, role: string, subjects: object[], kind = 'Role'): object {
  return { metadata: { name, namespace: 'ns' }, subjects, roleRef: { kind, name: role } };
}

function get(resource: string, change: object = {}): Attributes {
  const base = { user: ann, verb: 'get', apiGroup: '', resource, subresource: '', namespace: 'ns', name: 'x' };
  return { ...base, ...change };
}

function ask(attributes: Attributes): string {
  const { decision, reason } = rbac.authorize(attributes);
  return decision === 'allow' ? reason : reason || decision;
}

beforeEach(() => {
  sources = {
    clusterRoles: new FakeSource(),
    clusterRoleBindings: new FakeSource(),
    roles: new FakeSource(),
    roleBindings: new FakeSource(),
  };
  const policy = bootstrapPolicy();
  for (const role of policy.clusterRoles) sources.clusterRoles.set(role);
  for (const one of policy.clusterRoleBindings) sources.clusterRoleBindings.set(one);
  sources.roles.set({
    metadata: { name: 'r', namespace: 'ns' },
    rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }],
  });
  index = new RBACIndex(sources);
  rbac = new RBACAuthorizer(index);
});

test('the reason names binding, role and subject as upstream does', () => {
  assert.equal(ask(get('pods')), 'none');
  sources.roleBindings.set(
    binding('b', 'r', [
      { kind: 'User', name: 'ann' },
      { kind: 'Group', name: 'dev' },
      { kind: 'ServiceAccount', name: 'bot', namespace: 'other' },
      { kind: 'ServiceAccount', name: 'own' },
    ]),
  );
  const dev = { name: 'zoe', groups: ['dev'] };
  const bot = { name: 'system:serviceaccount:other:bot', groups: [] };
  const own = { name: 'system:serviceaccount:ns:own', groups: [] };
  const allowed = 'RBAC: allowed by RoleBinding "b/ns" of Role "r" to';
  assert.equal(ask(get('pods')), `${allowed} User "ann"`);
  assert.equal(ask(get('pods', { user: dev })), `${allowed} Group "dev"`);
  assert.equal(ask(get('pods', { user: bot })), `${allowed} ServiceAccount "bot/other"`);
  assert.equal(ask(get('pods', { user: own })), `${allowed} ServiceAccount "own/ns"`);
  assert.equal(ask(get('pods', { namespace: 'default' })), 'none');
  assert.equal(ask(get('pods', { namespace: '' })), 'none');
  assert.equal(ask(get('pods', { verb: 'delete' })), 'none');
  assert.equal(
    ask({ user: ann, verb: 'get', path: '/healthz' }),
    'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to Group "system:authenticated"',
  );
});

test('changes of roles and bindings count at once', () => {
  sources.roleBindings.set(binding('b', 'r', [{ kind: 'User', name: 'ann' }]));
  assert.match(ask(get('pods')), /^RBAC: allowed/);
  sources.roles.set({ metadata: { name: 'r', namespace: 'ns' }, rules: [] });
  assert.equal(ask(get('pods')), 'none');
  sources.roles.remove('r', 'ns');
  assert.equal(ask(get('pods')), 'RBAC: role.rbac.authorization.k8s.io "r" not found');
  sources.roleBindings.set(binding('b', 'view', [{ kind: 'User', name: 'bob' }], 'ClusterRole'));
  assert.equal(ask(get('pods')), 'none');
  sources.roleBindings.remove('b', 'ns');
  assert.equal(ask(get('pods', { user: { name: 'bob', groups: [] } })), 'none');
});

test('rules of a user, for SelfSubjectRulesReview', () => {
  sources.roleBindings.set(binding('b', 'r', [{ kind: 'User', name: 'ann' }]));
  const status = rulesReviewStatus(
    rbac.rulesFor({ name: 'ann', groups: ['golden', 'system:authenticated'] }, 'ns'),
    false,
  );
  assert.equal(status.incomplete, false);
  assert.deepEqual(status.resourceRules.map(({ verbs, resources }) => `${verbs} ${resources}`).sort(), [
    'create selfsubjectaccessreviews,selfsubjectrulesreviews',
    'create selfsubjectreviews',
    'get,list pods',
  ]);
  assert.ok(status.nonResourceRules.some(({ nonResourceURLs }) => nonResourceURLs.includes('/healthz')));
});

test('a refusal reads as upstream words it', () => {
  const none = unionAuthorizer([rbac]);
  const refuse = (attributes: Attributes, message: string): void =>
    assert.throws(() => requireAuthorized(none, attributes), { message });
  refuse(
    get('pods'),
    'pods "x" is forbidden: User "ann" cannot get resource "pods" in API group "" in the namespace "ns"',
  );
  refuse(
    get('deployments', { apiGroup: 'apps', subresource: 'scale', name: 'd' }),
    'deployments.apps "d" is forbidden: User "ann" cannot get resource "deployments/scale" in API group "apps" in the namespace "ns"',
  );
  refuse({ user: ann, verb: 'get', path: '/metrics' }, 'forbidden: User "ann" cannot get path "/metrics"');
});

function context(): EscalationContext {
  return { user: ann, authorizer: rbac, rbac, index };
}

const holder = { kind: 'Role', name: 'same', namespace: 'ns', aggregates: false } as const;

test('nobody grants what they do not hold', () => {
  sources.roleBindings.set(binding('b', 'r', [{ kind: 'User', name: 'ann' }]));
  const pods = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
  checkRoleEscalation(context(), { ...holder, rules: [pods] });
  assert.throws(
    () => checkRoleEscalation(context(), { ...holder, rules: [{ ...pods, resources: ['pods', 'secrets'] }] }),
    {
      message:
        'roles.rbac.authorization.k8s.io "same" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    },
  );
  assert.throws(
    () =>
      checkRoleEscalation(context(), { ...holder, kind: 'ClusterRole', namespace: '', rules: [], aggregates: true }),
    /clusterroles.*\n\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}\n\{NonResourceURLs:\["\*"\], Verbs:\["\*"\]\}$/,
  );
});

test('who may escalate or bind needs not hold', () => {
  const write = { kind: 'RoleBinding', name: 'esc', namespace: 'ns' } as const;
  const proxier = { ...write, roleRef: { kind: 'ClusterRole', name: 'system:node-proxier' } };
  assert.throws(() => checkBindingEscalation(context(), proxier), {
    message:
      'rolebindings.rbac.authorization.k8s.io "esc" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
      '{APIGroups:[""], Resources:["endpoints"], Verbs:["list" "watch"]}\n' +
      '{APIGroups:[""], Resources:["events"], Verbs:["create" "patch" "update"]}\n' +
      '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list" "watch"]}\n' +
      '{APIGroups:[""], Resources:["services"], Verbs:["list" "watch"]}\n' +
      '{APIGroups:["discovery.k8s.io"], Resources:["endpointslices"], Verbs:["list" "watch"]}\n' +
      '{APIGroups:["events.k8s.io"], Resources:["events"], Verbs:["create" "patch" "update"]}',
  });
  assert.throws(() => checkBindingEscalation(context(), { ...write, roleRef: { kind: 'Role', name: 'none' } }), {
    message: 'rolebindings.rbac.authorization.k8s.io "none" not found',
  });
  const groupRules = { apiGroups: ['rbac.authorization.k8s.io'], resourceNames: ['system:node-proxier'] };
  sources.roles.set({
    metadata: { name: 'binder', namespace: 'ns' },
    rules: [
      { ...groupRules, verbs: ['bind'], resources: ['clusterroles'] },
      { apiGroups: ['rbac.authorization.k8s.io'], verbs: ['escalate'], resources: ['roles'] },
    ],
  });
  sources.roleBindings.set(binding('b', 'binder', [{ kind: 'User', name: 'ann' }]));
  checkBindingEscalation(context(), proxier);
  checkRoleEscalation(context(), { ...holder, rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] });
});

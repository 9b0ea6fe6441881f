import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../api/schema.ts';
import { nodeUser } from '../authn/user.ts';
import {
  reviewLocalSubjectAccess,
  reviewSelfSubjectAccess,
  reviewSelfSubjectRules,
  reviewSubjectAccess,
} from './access-review.ts';
import type { Attributes, Authorizer } from './attributes.ts';
import { FakeSource } from './change-source.fake.ts';
import { RBACAuthorizer } from './rbac.ts';
import { RBACIndex } from './rbac-index.ts';

const ann = { name: 'ann', groups: ['system:authenticated'] };
const asked: Attributes[] = [];
const authorizer: Authorizer = {
  authorize(attributes) {
    asked.push(attributes);
    return attributes.verb === 'get' ? { decision: 'allow', reason: 'because' } : { decision: 'none', reason: '' };
  },
};
const resourceAttributes = { namespace: 'ns', verb: 'get', resource: 'pods', subresource: 'log' };

function call(spec: JsonObject, metadata: JsonObject = {}): { namespace: string; body: JsonObject; user: typeof ann } {
  return { namespace: 'ns', body: { metadata, spec }, user: ann };
}

function statusOf(answer: object): unknown {
  return (answer as { status: unknown }).status;
}

test('a review asks the authorizer in the name of its subject', () => {
  const spec = { user: 'bob', groups: ['dev'], uid: 'u', extra: { k: ['v'] }, resourceAttributes };
  assert.deepEqual(statusOf(reviewSubjectAccess(call(spec), authorizer)), { allowed: true, reason: 'because' });
  assert.deepEqual(asked.at(-1), {
    user: { name: 'bob', groups: ['dev'], uid: 'u', extra: { k: ['v'] } },
    verb: 'get',
    apiGroup: '',
    apiVersion: '*',
    resource: 'pods',
    subresource: 'log',
    namespace: 'ns',
    name: '',
  });
  const path = { user: 'bob', nonResourceAttributes: { path: '/metrics', verb: 'post' } };
  assert.deepEqual(statusOf(reviewSubjectAccess(call(path), authorizer)), { allowed: false });
  assert.deepEqual(statusOf(reviewSelfSubjectAccess(call({ resourceAttributes }), authorizer)), {
    allowed: true,
    reason: 'because',
  });
  assert.equal(asked.at(-1)?.user, ann);
});

test('what is wrong with a review is said as upstream says it', () => {
  const refuse = (message: string, spec: JsonObject, metadata?: JsonObject, local = false): void => {
    const review = local ? reviewLocalSubjectAccess : reviewSubjectAccess;
    assert.throws(() => review(call(spec, metadata), authorizer), {
      message: `.authorization.k8s.io "" is invalid: ${message}`,
    });
  };
  refuse(
    'spec.resourceAttributes: Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes must be specified',
    { user: 'q' },
  );
  refuse('spec.user: Invalid value: "": at least one of user or group must be specified', { resourceAttributes });
  refuse('metadata: Invalid value: {"name":"x"}: must be empty', { user: 'q', resourceAttributes }, { name: 'x' });
  refuse(
    'spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace',
    { user: 'q', resourceAttributes: { ...resourceAttributes, namespace: 'default' } },
    {},
    true,
  );
  assert.throws(
    () => reviewSubjectAccess(call({ user: 'q', resourceAttributes: {}, nonResourceAttributes: {} }), authorizer),
    /spec\.nonResourceAttributes: .*cannot be specified in combination with resourceAttributes$/,
  );
});

test('a rules review needs a namespace and is honest about nodes', () => {
  const empty = {
    clusterRoles: new FakeSource<never>(),
    clusterRoleBindings: new FakeSource<never>(),
    roles: new FakeSource<never>(),
    roleBindings: new FakeSource<never>(),
  };
  const rbac = new RBACAuthorizer(new RBACIndex(empty));
  assert.throws(() => reviewSelfSubjectRules(call({}), rbac), { message: 'no namespace on request' });
  assert.deepEqual(statusOf(reviewSelfSubjectRules(call({ namespace: 'ns' }), rbac)), {
    resourceRules: [],
    nonResourceRules: [],
    incomplete: false,
  });
  const node = { ...call({ namespace: 'ns' }), user: nodeUser('n1') };
  assert.equal((statusOf(reviewSelfSubjectRules(node, rbac)) as { incomplete: boolean }).incomplete, true);
});

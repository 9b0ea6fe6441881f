import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UserInfo } from '../../registry/user-info.ts';
import type { Attributes, Authorizer } from '../authz/attributes.ts';
import { impersonate, parseImpersonation } from './impersonation.ts';

const admin: UserInfo = { name: 'admin', groups: ['system:masters'] };

function recording(refuse: (attributes: Attributes) => boolean = () => false): Authorizer & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    authorize(attributes) {
      if ('resource' in attributes) {
        const { apiGroup, resource, subresource, namespace, name, verb } = attributes;
        asked.push([verb, apiGroup, resource, subresource, namespace, name].join('|'));
      }
      return { decision: refuse(attributes) ? 'none' : 'allow', reason: '' };
    },
  };
}

function as(...headers: string[]): UserInfo {
  const impersonation = parseImpersonation(headers);
  assert.ok(impersonation);
  return impersonate(admin, impersonation, recording());
}

test('no header, no impersonation', () => {
  assert.equal(parseImpersonation(['Accept', 'application/json']), undefined);
});

test('everything asked for is authorized', () => {
  const impersonation = parseImpersonation([
    ...['Impersonate-User', 'ann', 'Impersonate-Group', 'a,b', 'impersonate-group', 'c'],
    ...['Impersonate-Uid', 'u1', 'Impersonate-Extra-Acme.com%2Fproject', 'x'],
  ]);
  assert.ok(impersonation);
  const authorizer = recording();
  assert.deepEqual(impersonate(admin, impersonation, authorizer), {
    name: 'ann',
    uid: 'u1',
    groups: ['a,b', 'c', 'system:authenticated'],
    extra: { 'acme.com/project': ['x'] },
  });
  assert.deepEqual(authorizer.asked, [
    'impersonate||users|||ann',
    'impersonate||groups|||a,b',
    'impersonate||groups|||c',
    'impersonate|authentication.k8s.io|userextras|acme.com/project||x',
    'impersonate|authentication.k8s.io|uids|||u1',
  ]);
});

test('service accounts and anonymous get the groups they would have', () => {
  assert.deepEqual(as('Impersonate-User', 'system:serviceaccount:ns:bot').groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:ns',
    'system:authenticated',
  ]);
  assert.deepEqual(as('Impersonate-User', 'system:anonymous').groups, ['system:unauthenticated']);
  assert.deepEqual(as('Impersonate-User', 'x', 'Impersonate-Group', 'system:authenticated').groups, [
    'system:authenticated',
  ]);
});

test('what the requester may not impersonate is refused by name', () => {
  const impersonation = parseImpersonation(['Impersonate-User', 'ann', 'Impersonate-Group', 'system:masters']);
  assert.ok(impersonation);
  const noGroups = recording((attributes) => 'resource' in attributes && attributes.resource === 'groups');
  assert.throws(
    () => impersonate({ name: 'bob', groups: [] }, impersonation, noGroups),
    /^StatusError: groups "system:masters" is forbidden: User "bob" cannot impersonate resource "groups" in API group "" at the cluster scope$/,
  );
});

test('a group without a user is a mistake of the client', () => {
  assert.throws(
    () => parseImpersonation(['Impersonate-Group', 'g']),
    /^ImpersonationHeaderError: requested \[\{Group {2}g {4}\}\] without impersonating a user$/,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyRule } from '../../api/generated/rbac-v1.ts';
import type { Attributes } from './attributes.ts';
import { describeRules, ruleAllows, rulesCover, uncoveredRules } from './rules.ts';

const user = { name: 'ann', groups: [] };

/** `verb group/resource[/subresource] [name]`, or `verb /path`. */
function request(text: string): Attributes {
  const [verb = '', target = '', name = ''] = text.split(' ');
  if (target.startsWith('/')) return { user, verb, path: target };
  const [apiGroup = '', resource = '', subresource = ''] = target.split('/');
  return { user, verb, apiGroup: apiGroup === 'core' ? '' : apiGroup, resource, subresource, namespace: 'ns', name };
}

const cases: [PolicyRule, allowed: string[], refused: string[]][] = [
  [
    { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] },
    ['get core/pods x', 'list core/pods', 'get core/pods/log x'],
    ['watch core/pods', 'get core/pods/exec x', 'get apps/pods x', 'get core/secrets x', 'get /pods'],
  ],
  [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    ['get core/pods x', 'impersonate core/users x', 'get apps/deployments/scale x'],
    ['get /healthz'],
  ],
  [
    { verbs: ['get'], apiGroups: ['*'], resources: ['*/scale'] },
    ['get apps/deployments/scale x'],
    ['get apps/deployments x', 'get apps/deployments/status x'],
  ],
  [
    { verbs: ['update'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['d1'] },
    ['update apps/deployments d1'],
    ['update apps/deployments d2', 'update apps/deployments'],
  ],
  [
    { verbs: ['get'], nonResourceURLs: ['/healthz', '/api/*', '/metrics*'] },
    ['get /healthz', 'get /api/v1', 'get /api/', 'get /metrics/slis', 'get /metrics'],
    ['get /healthz/ping', 'get /api', 'post /healthz', 'get core/healthz'],
  ],
  [{ verbs: ['*'], nonResourceURLs: ['*'] }, ['post /anything'], ['get core/pods']],
];

test('what rules allow', () => {
  for (const [rule, allowed, refused] of cases) {
    for (const text of allowed) assert.equal(ruleAllows(rule, request(text)), true, text);
    for (const text of refused) assert.equal(ruleAllows(rule, request(text)), false, text);
  }
});

test('several rules together may cover one', () => {
  const wanted: PolicyRule[] = [{ verbs: ['get', 'list'], apiGroups: ['', 'apps'], resources: ['a', 'b'] }];
  const get: PolicyRule = { verbs: ['get'], apiGroups: ['*'], resources: ['*'] };
  const list: PolicyRule = { verbs: ['list'], apiGroups: ['', 'apps'], resources: ['a', 'b', 'c'] };
  assert.equal(rulesCover([get, list], wanted), true);
  assert.deepEqual(describeRules(uncoveredRules([get], wanted)), [
    '{APIGroups:[""], Resources:["a"], Verbs:["list"]}',
    '{APIGroups:[""], Resources:["b"], Verbs:["list"]}',
    '{APIGroups:["apps"], Resources:["a"], Verbs:["list"]}',
    '{APIGroups:["apps"], Resources:["b"], Verbs:["list"]}',
  ]);
});

test('covering respects names, subresources and URLs', () => {
  const rule = (change: Partial<PolicyRule>): PolicyRule[] => [
    { verbs: ['get'], apiGroups: [''], resources: ['pods'], ...change },
  ];
  assert.equal(rulesCover(rule({}), rule({ resourceNames: ['x'] })), true);
  assert.equal(rulesCover(rule({ resourceNames: ['x'] }), rule({})), false);
  assert.equal(rulesCover(rule({ resourceNames: ['x', 'y'] }), rule({ resourceNames: ['x'] })), true);
  assert.equal(rulesCover(rule({ resources: ['*/scale'] }), rule({ resources: ['deployments/scale'] })), true);
  assert.equal(rulesCover(rule({}), rule({ resources: ['pods/log'] })), false);
  assert.equal(rulesCover(rule({ verbs: ['*'] }), rule({ verbs: ['*', 'get'] })), true);
  assert.equal(rulesCover(rule({ verbs: ['get', 'list'] }), rule({ verbs: ['*'] })), false);
  const url = (path: string): PolicyRule[] => [{ verbs: ['get'], nonResourceURLs: [path] }];
  assert.equal(rulesCover(url('/api/*'), url('/api/v1')), true);
  assert.equal(rulesCover(url('/api'), url('/api/v1')), false);
  assert.equal(rulesCover(rule({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }), url('/x')), false);
});

test('nobody but a holder of everything covers everything', () => {
  const all: PolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
  assert.deepEqual(describeRules(uncoveredRules([{ ...all, apiGroups: [''] }], [all])), [
    '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}',
  ]);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseRequestInfo } from '../request-info.ts';
import { type AuditPolicy, evaluate, parseAuditPolicy } from './policy.ts';

const HEAD = 'apiVersion: audit.k8s.io/v1\nkind: Policy\n';
const policyOf = (rules: string): AuditPolicy => parseAuditPolicy(`${HEAD}rules:\n${rules}`);

function level(policy: AuditPolicy, method: string, url: string, name: string | undefined = 'alice', groups = ['dev']) {
  const [path = '', query = ''] = url.split('?');
  const info = parseRequestInfo(method, path, new URLSearchParams(query));
  return evaluate(policy, { user: name === '' ? undefined : { name, groups }, info }).level;
}

describe('audit policy', () => {
  test('the first rule that matches decides, and without one nothing is kept', () => {
    const policy = policyOf(`
- {level: None, users: [bob]}
- {level: Request, userGroups: [ops, dev], verbs: [create, delete]}
- {level: Metadata, namespaces: [kube-system]}
`);
    const pods = '/api/v1/namespaces/default/pods';
    assert.equal(level(policy, 'POST', pods, 'bob'), 'None');
    assert.equal(level(policy, 'POST', pods), 'Request');
    assert.equal(level(policy, 'GET', pods), 'None');
    assert.equal(level(policy, 'GET', '/api/v1/namespaces/kube-system/pods'), 'Metadata');
    assert.equal(level(policy, 'POST', pods, ''), 'None');
    assert.equal(level(policy, 'GET', '/healthz'), 'None');
  });

  test('resources by group, name and subresource', () => {
    const policy = policyOf(`
- level: RequestResponse
  resources: [{group: "", resources: [configmaps], resourceNames: [secret-plans]}]
- {level: Metadata, resources: [{group: apps}]}
- {level: Request, resources: [{group: "", resources: [pods, "pods/log", "*/status", "services/*"]}]}
- {level: None, resources: [{group: batch, resources: ["*"]}]}
- {level: Metadata}
`);
    const base = '/api/v1/namespaces/x';
    assert.equal(level(policy, 'GET', `${base}/configmaps/secret-plans`), 'RequestResponse');
    assert.equal(level(policy, 'GET', '/apis/apps/v1/deployments'), 'Metadata');
    assert.equal(level(policy, 'GET', `${base}/pods/a`), 'Request');
    assert.equal(level(policy, 'GET', `${base}/pods/a/log`), 'Request');
    assert.equal(level(policy, 'POST', `${base}/pods/a/exec`), 'Metadata');
    assert.equal(level(policy, 'PUT', `${base}/persistentvolumeclaims/a/status`), 'Request');
    assert.equal(level(policy, 'GET', `${base}/services/a/proxy`), 'Request');
    // As upstream has it, `services/*` means Services themselves, too.
    assert.equal(level(policy, 'GET', `${base}/services/a`), 'Request');
    assert.equal(level(policy, 'PUT', '/apis/batch/v1/namespaces/x/jobs/a/status'), 'None');
  });

  test('paths that are no resources, the cluster scope, stages and managed fields', () => {
    const policy = parseAuditPolicy(`${HEAD}omitStages: [RequestReceived]
omitManagedFields: true
rules:
- {level: Request, nonResourceURLs: [/healthz*, /version]}
- {level: Metadata, namespaces: [""], omitManagedFields: false, omitStages: [Panic]}
`);
    assert.equal(level(policy, 'GET', '/healthz/ping'), 'Request');
    assert.equal(level(policy, 'GET', '/version'), 'Request');
    assert.equal(level(policy, 'GET', '/version/x'), 'None');
    const info = parseRequestInfo('GET', '/api/v1/nodes', new URLSearchParams());
    const decision = evaluate(policy, { user: undefined, info });
    assert.equal(decision.level, 'Metadata');
    assert.deepEqual([...decision.omitStages], ['RequestReceived', 'Panic']);
    assert.equal(decision.omitManagedFields, false);
  });

  test('a wrong policy is refused in one line that names the place', () => {
    for (const [text, message] of [
      ['', /the policy: /],
      ['{', /^yaml: /],
      [`${HEAD}`, /^rules: /],
      [`${HEAD}rules: []`, /^rules: loaded illegal policy with 0 rules/],
      ['apiVersion: v1\nkind: Policy\nrules: [{level: None}]', /^apiVersion: /],
      [`${HEAD}rules: [{level: Everything}]`, /^rules\[0\].level: /],
      [`${HEAD}rules: [{level: None}, {verbs: [get]}]`, /^rules\[1\].level: /],
      [`${HEAD}rules: [{level: None, verb: [get]}]`, /^rules\[0\]: .*verb/],
      [`${HEAD}rules: [{level: None}]\nomitStages: [Late]`, /^omitStages\[0\]: /],
      [`${HEAD}rules: [{level: None, namespaces: [x], nonResourceURLs: [/x]}]`, /^rules\[0\].nonResourceURLs: /],
      [`${HEAD}rules: [{level: None, nonResourceURLs: [x]}]`, /^rules\[0\].nonResourceURLs\[0\]: /],
      [`${HEAD}rules: [{level: None, nonResourceURLs: ["/a*/b"]}]`, /^rules\[0\].nonResourceURLs\[0\]: /],
      [`${HEAD}rules: [{level: None, resources: [{group: "apps/v1"}]}]`, /^rules\[0\].resources\[0\].group: /],
      [
        `${HEAD}rules: [{level: None, resources: [{resourceNames: [x]}]}]`,
        /^rules\[0\].resources\[0\].resourceNames: /,
      ],
    ] as const) {
      assert.throws(
        () => parseAuditPolicy(text),
        (error: Error) => message.test(error.message) && !error.message.includes('\n'),
        text,
      );
    }
  });
});

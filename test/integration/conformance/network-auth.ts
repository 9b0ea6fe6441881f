import assert from 'node:assert/strict';
import type { JsonObject } from '../../../pkg/api/schema.ts';
import { SIGNING_REQUEST } from '../every-kind/samples.ts';
import { at, each } from './api.ts';
import type { Cases } from './cases.ts';

const NETWORKING = '/apis/networking.k8s.io/v1';
const metadata = (object: JsonObject, fields: JsonObject): JsonObject => ({
  ...object,
  metadata: { ...(object['metadata'] as JsonObject), ...fields },
});

/** sig-network, sig-auth and sig-instrumentation. */
export const networkAuth: Cases = {
  async 'ServiceCIDR: the one of the cluster is there'(api) {
    const path = `${NETWORKING}/servicecidrs/kubernetes`;
    const range = await api.untilHolds(path, ({ status }) => each(at(status, 'conditions'), 'type').includes('Ready'));
    assert.deepEqual(at(range, 'spec', 'cidrs'), ['10.43.0.0/16']);
    await api.get(`${path}/status`, {
      holds: { kind: 'ServiceCIDR', metadata: { uid: at(range, 'metadata', 'uid') ?? '' } },
    });
    assert.ok((await api.items(`${NETWORKING}/servicecidrs`)).length > 0);
  },

  async 'IPAddress: operations'(api) {
    const base = `${NETWORKING}/ipaddresses`;
    const parentRef = { group: 'mygroup', resource: 'myresources', namespace: 'foo', name: 'bar' };
    await api.post(base, { metadata: { name: '255.255.255.255', labels: { type: 'broadcast' } }, spec: { parentRef } });
    await api.post(base, {
      metadata: { name: 'fe80::42:1dff:fe84:f9e2', labels: { type: 'link-local' } },
      spec: { parentRef },
    });
    await api.patch('merge', `${base}/255.255.255.255`, { metadata: { annotations: { patched: 'true' } } });
    await api.update(`${base}/255.255.255.255`, (object) => metadata(object, { annotations: { updated: 'true' } }));
    assert.equal((await api.items(`${base}?labelSelector=type%3Dbroadcast`)).length, 1);
    await api.delete(`${base}/255.255.255.255`);
    await api.delete(`${base}?labelSelector=type%3Dlink-local`);
    assert.equal((await api.items(`${base}?labelSelector=type%3Dlink-local`)).length, 0);
  },

  async 'Services: each has its address recorded'(api, ns) {
    const services = `/api/v1/namespaces/${ns}/services`;
    const service = await api.post(services, { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } });
    const address = String(at(service, 'spec', 'clusterIP'));
    await api.untilHolds(`${NETWORKING}/ipaddresses/${address}`, ({ spec }) => at(spec, 'parentRef', 'name') === 's');
    await api.delete(`${services}/s`);
    await api.untilGone(`${NETWORKING}/ipaddresses/${address}`);
  },

  async 'Services: a status, patched and updated'(api, ns) {
    const services = `/api/v1/namespaces/${ns}/services`;
    const spec = {
      type: 'LoadBalancer',
      loadBalancerClass: 'example.com/none',
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }],
    };
    await api.post(services, { metadata: { name: 's', labels: { 'test-service-static': 'true' } }, spec });
    await api.get(`${services}/s/status`, { holds: { status: { loadBalancer: {} } } });
    const patch = {
      metadata: { annotations: { patchedstatus: 'true' } },
      status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
    };
    await api.patch('merge', `${services}/s/status`, patch, { holds: patch });
    const condition = {
      type: 'StatusUpdate',
      status: 'True',
      reason: 'E2E',
      message: 'Set from e2e test',
      lastTransitionTime: '2026-01-02T03:04:05Z',
    };
    const updated = await api.update(
      `${services}/s`,
      (object) => ({ ...object, status: { ...(object['status'] as JsonObject), conditions: [condition] } }),
      '/status',
    );
    assert.equal(at(updated, 'status', 'conditions', 0, 'type'), 'StatusUpdate');
    await api.patch(
      'strategic',
      `${services}/s`,
      { metadata: { labels: { 'test-service': 'patched' } } },
      { holds: { metadata: { labels: { 'test-service': 'patched' } } } },
    );
    await api.delete(`${services}/s`);
    await api.untilGone(`${services}/s`);
  },

  async 'Services: deleted as a collection'(api, ns) {
    const services = `/api/v1/namespaces/${ns}/services`;
    for (const name of ['a', 'b', 'c']) {
      const label = name === 'c' ? 'kept' : 'doomed';
      await api.post(services, { metadata: { name, labels: { e2e: label } }, spec: { ports: [{ port: 80 }] } });
    }
    await api.delete(`${services}?labelSelector=e2e%3Ddoomed`);
    assert.deepEqual(
      (await api.items(services)).map((item) => at(item, 'metadata', 'name')),
      ['c'],
    );
  },

  async 'EndpointSlice: of a Service without Pods, and of custom Endpoints'(api, ns) {
    const services = `/api/v1/namespaces/${ns}/services`;
    const slices = `/apis/discovery.k8s.io/v1/namespaces/${ns}/endpointslices`;
    await api.post(services, {
      metadata: { name: 's' },
      spec: { selector: { 'does-not': 'match' }, ports: [{ name: 'http', port: 80 }] },
    });
    await api.untilHolds(
      `${slices}?labelSelector=kubernetes.io/service-name=s`,
      ({ items }) => (items as unknown[]).length === 1,
    );
    await api.untilHolds(`/api/v1/namespaces/${ns}/endpoints/s`, () => true);
    await api.delete(`${services}/s`);
    await api.untilHolds(
      `${slices}?labelSelector=kubernetes.io/service-name=s`,
      ({ items }) => (items as unknown[]).length === 0,
    );
    await api.untilGone(`/api/v1/namespaces/${ns}/endpoints/s`);

    await api.post(services, { metadata: { name: 'custom' }, spec: { ports: [{ name: 'example', port: 80 }] } });
    const endpoints = (ip: string): JsonObject => ({
      metadata: { name: 'custom' },
      subsets: [{ addresses: [{ ip }], ports: [{ name: 'example', port: 80, protocol: 'TCP' }] }],
    });
    await api.post(`/api/v1/namespaces/${ns}/endpoints`, endpoints('10.1.2.3'));
    const mirrored =
      (ip: string) =>
      ({ items }: JsonObject): boolean =>
        at(items, 0, 'endpoints', 0, 'addresses', 0) === ip;
    const custom = `${slices}?labelSelector=kubernetes.io/service-name=custom`;
    await api.untilHolds(custom, mirrored('10.1.2.3'));
    await api.put(`/api/v1/namespaces/${ns}/endpoints/custom`, endpoints('10.2.3.4'));
    await api.untilHolds(custom, mirrored('10.2.3.4'));
    await api.delete(`/api/v1/namespaces/${ns}/endpoints/custom`);
    await api.untilHolds(custom, ({ items }) => (items as unknown[]).length === 0);
  },

  async 'API Server: Endpoints and EndpointSlices point to it'(api) {
    const endpoints = await api.get('/api/v1/namespaces/default/endpoints/kubernetes');
    const [slice] = await api.items(
      '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=kubernetes',
    );
    assert.equal(at(slice, 'metadata', 'name'), 'kubernetes');
    assert.equal(at(slice, 'endpoints', 0, 'addresses', 0), at(endpoints, 'subsets', 0, 'addresses', 0, 'ip'));
    assert.equal(at(slice, 'ports', 0, 'port'), at(endpoints, 'subsets', 0, 'ports', 0, 'port'));
  },

  async 'Ingress, IngressClass, NetworkPolicy: operations'(api, ns) {
    const ingresses = `${NETWORKING}/namespaces/${ns}/ingresses`;
    await api.post(`${NETWORKING}/ingressclasses`, {
      metadata: { name: 'e2e-class' },
      spec: { controller: 'example.com/c', parameters: { apiGroup: 'k', kind: 'P', name: 'p' } },
    });
    const spec = { ingressClassName: 'e2e-class', defaultBackend: { service: { name: 'd', port: { number: 80 } } } };
    await api.post(ingresses, { metadata: { name: 'i', labels: { e2e: 'i' } }, spec });
    const patch = {
      metadata: { annotations: { patchedstatus: 'true' } },
      status: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } },
    };
    await api.patch('merge', `${ingresses}/i/status`, patch, { holds: patch });
    const ports = {
      loadBalancer: { ingress: [{ ip: '169.1.1.2', hostname: 'h', ports: [{ port: 80, protocol: 'TCP' }] }] },
    };
    await api.update(`${ingresses}/i`, (object) => ({ ...object, status: ports }), '/status');
    await api.get(`${ingresses}/i/status`, { holds: { status: ports } });
    await api.delete(`${ingresses}?labelSelector=e2e%3Di`);
    assert.equal((await api.items(ingresses)).length, 0);
    await api.delete(`${NETWORKING}/ingressclasses/e2e-class`);
    const policies = `${NETWORKING}/namespaces/${ns}/networkpolicies`;
    const policy = {
      podSelector: { matchLabels: { a: 'b' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ namespaceSelector: {} }] }],
      egress: [{ ports: [{ protocol: 'TCP', port: 80, endPort: 90 }] }],
    };
    await api.post(
      policies,
      { metadata: { name: 'n' }, spec: policy },
      { holds: { metadata: { generation: 1 }, spec: policy } },
    );
    await api.patch(
      'merge',
      `${policies}/n`,
      { spec: { policyTypes: ['Ingress'], egress: null } },
      { holds: { metadata: { generation: 2 } } },
    );
    await api.delete(policies);
  },

  async 'ServiceAccounts: a token, and its review'(api, ns) {
    const accounts = `/api/v1/namespaces/${ns}/serviceaccounts`;
    await api.post(accounts, { metadata: { name: 'e2e' } });
    await api.patch(
      'strategic',
      `${accounts}/e2e`,
      { automountServiceAccountToken: false },
      { holds: { automountServiceAccountToken: false } },
    );
    const asked = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name: 'e2e', namespace: ns },
      spec: { expirationSeconds: 600 },
    };
    const issued = await api.post(`${accounts}/e2e/token`, asked);
    const token = String(at(issued, 'status', 'token'));
    const username = `system:serviceaccount:${ns}:e2e`;
    const review = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: { name: 'token' },
      spec: { token },
    };
    await api.post('/apis/authentication.k8s.io/v1/tokenreviews', review, {
      holds: { status: { authenticated: true, user: { username } } },
    });
    const headers = { 'impersonate-user': username };
    const self = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    await api.post(
      self,
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      {
        headers,
        holds: {
          status: { userInfo: { username, groups: ['system:serviceaccounts', `system:serviceaccounts:${ns}`] } },
        },
      },
    );
    await api.delete(`${accounts}/e2e`);
    const after = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', review);
    assert.notEqual(at(after, 'status', 'authenticated'), true);
  },

  async 'ServiceAccounts: a token in a Secret'(api, ns) {
    const core = `/api/v1/namespaces/${ns}`;
    await api.post(`${core}/serviceaccounts`, { metadata: { name: 'e2e' } });
    const annotations = { 'kubernetes.io/service-account.name': 'e2e' };
    const type = 'kubernetes.io/service-account-token';
    await api.post(`${core}/secrets`, { metadata: { name: 'token', annotations }, type });
    const { data, metadata: filled } = await api.untilHolds(
      `${core}/secrets/token`,
      (secret) => at(secret, 'data', 'token') !== undefined,
    );
    assert.deepEqual(Object.keys(data ?? {}).sort(), ['ca.crt', 'namespace', 'token']);
    assert.ok(at(filled, 'annotations', 'kubernetes.io/service-account.uid'));
    const token = Buffer.from(String(at(data, 'token')), 'base64').toString();
    const review = async (): Promise<JsonObject> =>
      api.post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token } });
    const username = `system:serviceaccount:${ns}:e2e`;
    assert.equal(at(await review(), 'status', 'user', 'username'), username);
    const bearer = { headers: { authorization: `Bearer ${token}` }, anonymous: true };
    const refused = await api.send('GET', `${core}/pods`, undefined, bearer);
    assert.match(refused.text, /User \\"system:serviceaccount:.*:e2e\\" cannot list resource/);
    // The Secret goes with its account, and the token with the Secret.
    await api.delete(`${core}/serviceaccounts/e2e`);
    await api.untilGone(`${core}/secrets/token`);
    assert.equal(at(await review(), 'status', 'authenticated'), undefined);
    await api.post(`${core}/secrets`, { metadata: { name: 'nobody', annotations }, type });
    await api.untilGone(`${core}/secrets/nobody`);
  },

  async 'ServiceAccounts: the root certificate is in any namespace'(api, ns) {
    const path = `/api/v1/namespaces/${ns}/configmaps/kube-root-ca.crt`;
    const whole = await api.untilHolds(path, ({ data }) => at(data, 'ca.crt') !== undefined);
    await api.delete(path);
    await api.untilHolds(path, ({ metadata: found }) => at(found, 'uid') !== at(whole, 'metadata', 'uid'));
    await api.patch('merge', path, { data: { 'ca.crt': '' } });
    await api.untilHolds(path, ({ data }) => at(data, 'ca.crt') === at(whole, 'data', 'ca.crt'));
  },

  async 'SubjectReview: operations'(api, ns) {
    const base = '/apis/authorization.k8s.io/v1';
    const username = `system:serviceaccount:${ns}:default`;
    const resourceAttributes = { namespace: ns, verb: 'list', resource: 'pods', version: 'v1' };
    const headers = { 'impersonate-user': username };
    await api.post(
      `${base}/selfsubjectaccessreviews`,
      { spec: { resourceAttributes } },
      { headers, holds: { status: { allowed: false } } },
    );
    await api.post(
      `${base}/subjectaccessreviews`,
      { spec: { user: username, resourceAttributes } },
      { holds: { status: { allowed: false } } },
    );
    const local = { metadata: { namespace: ns }, spec: { user: username, resourceAttributes } };
    await api.post(`${base}/namespaces/${ns}/localsubjectaccessreviews`, local, {
      holds: { status: { allowed: false } },
    });
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }];
    await api.post(`${rbac}/namespaces/${ns}/roles`, { metadata: { name: 'r' }, rules });
    const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace: ns }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' };
    await api.post(`${rbac}/namespaces/${ns}/rolebindings`, { metadata: { name: 'r' }, subjects, roleRef });
    await api.post(`${base}/namespaces/${ns}/localsubjectaccessreviews`, local, {
      holds: { status: { allowed: true } },
    });
    await api.post(
      `${base}/selfsubjectrulesreviews`,
      { spec: { namespace: ns } },
      { headers, holds: { status: { resourceRules: rules } } },
    );
  },

  async 'Certificates: approval and status'(api) {
    const base = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
    const spec = {
      request: SIGNING_REQUEST,
      signerName: 'example.com/e2e',
      usages: ['digital signature', 'key encipherment', 'server auth'],
      expirationSeconds: 3600,
    };
    await api.post(base, { metadata: { name: 'e2e-csr', labels: { e2e: 'csr' } }, spec });
    const path = `${base}/e2e-csr`;
    await api.patch('merge', path, { metadata: { annotations: { patched: 'true' } } });
    const condition = { type: 'ApprovalPatch', status: 'True', reason: 'e2e' };
    await api.patch(
      'merge',
      `${path}/approval`,
      { metadata: { annotations: { patchedapproval: 'true' } }, status: { conditions: [condition] } },
      { holds: { status: { conditions: [condition] } } },
    );
    const approved = { type: 'Approved', status: 'True', reason: 'E2E', message: 'Set from an e2e test' };
    await api.update(path, (object) => ({ ...object, status: { conditions: [condition, approved] } }), '/approval');
    const failed = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from an e2e test' };
    await api.update(
      path,
      (object) => ({
        ...object,
        status: {
          ...(object['status'] as JsonObject),
          conditions: [...(at(object, 'status', 'conditions') as JsonObject[]), failed],
        },
      }),
      '/status',
    );
    const seen = await api.get(`${path}/status`);
    assert.deepEqual(each(at(seen, 'status', 'conditions'), 'type'), ['ApprovalPatch', 'Approved', 'StatusUpdate']);
    await api.delete(`${base}?labelSelector=e2e%3Dcsr`);
  },

  async 'Events: their life in both groups'(api, ns) {
    const core = `/api/v1/namespaces/${ns}/events`;
    const group = `/apis/events.k8s.io/v1/namespaces/${ns}/events`;
    const involvedObject = { kind: 'Pod', namespace: ns, name: 'p' };
    for (const name of ['one', 'two']) {
      await api.post(core, {
        metadata: { name, labels: { 'testevent-set': 'true' } },
        involvedObject,
        reason: 'Test',
        message: 'a test',
        type: 'Normal',
        source: { component: 'e2e' },
      });
    }
    await api.patch('strategic', `${core}/one`, { message: 'patched' }, { holds: { message: 'patched' } });
    await api.get(`${group}/one`, {
      holds: { note: 'patched', regarding: involvedObject, deprecatedSource: { component: 'e2e' } },
    });
    assert.equal((await api.items(`${core}?fieldSelector=involvedObject.kind%3DPod,reason%3DTest`)).length, 2);
    await api.update(`${group}/one`, (object) => ({
      ...object,
      series: { count: 100, lastObservedTime: '2026-01-02T03:04:05.000000Z' },
    }));
    await api.get(`${core}/one`, { holds: { series: { count: 100 } } });
    await api.delete(`${core}?labelSelector=testevent-set%3Dtrue`);
    assert.equal((await api.items(group)).length, 0);
  },
};

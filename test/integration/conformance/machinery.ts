import assert from 'node:assert/strict';
import type { JsonObject } from '../../../pkg/api/schema.ts';
import { until } from '../controllers/cluster.ts';
import { type Api, at, each } from './api.ts';
import type { Cases } from './cases.ts';

/** What a test says of an object whose status it writes. */
const PATCHED = {
  type: 'PatchStatusFailed',
  status: 'False',
  reason: 'Patched',
  message: 'by e2e',
  lastTransitionTime: '2026-01-02T03:04:05Z',
};

const deployment = (fields: JsonObject): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', ...(fields['metadata'] as JsonObject | undefined) },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'a' } },
    template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    ...(fields['spec'] as JsonObject | undefined),
  },
});

const pod = (name: string, metadata: JsonObject = {}, spec: JsonObject = {}): JsonObject => ({
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

/** sig-api-machinery. */
export const machinery: Cases = {
  async 'Namespaces: a status, patched and updated'(api, ns) {
    const path = `/api/v1/namespaces/${ns}`;
    await api.get(`${path}/status`, { holds: { kind: 'Namespace', status: { phase: 'Active' } } });
    const condition = (type: string, message: string): JsonObject => ({ type, status: 'True', reason: 'E2E', message });
    const patched = condition('StatusPatch', 'Patched by an e2e test');
    const body = { metadata: { annotations: { patched: 'yes' } }, status: { conditions: [patched] } };
    await api.patch('merge', `${path}/status`, body, { holds: body });
    const added = condition('StatusUpdate', 'Updated by an e2e test');
    const updated = await api.update(
      path,
      (object) => ({ ...object, status: { ...(object['status'] as JsonObject), conditions: [patched, added] } }),
      '/status',
    );
    assert.deepEqual(each(at(updated, 'status', 'conditions'), 'type'), ['StatusPatch', 'StatusUpdate']);
  },

  async 'Namespaces: a finalizer, given and taken'(api, ns) {
    const path = `/api/v1/namespaces/${ns}`;
    const finalized = (finalizers: string[]): Promise<JsonObject> =>
      api.update(path, (object) => ({ ...object, spec: { finalizers } }), '/finalize');
    const given = await finalized(['kubernetes', 'e2e.example.com/fakeFinalizer']);
    assert.deepEqual(at(given, 'spec', 'finalizers'), ['kubernetes', 'e2e.example.com/fakeFinalizer']);
    const taken = await finalized(['kubernetes']);
    assert.deepEqual(at(taken, 'spec', 'finalizers'), ['kubernetes']);
    await api.update(path, (object) => ({
      ...object,
      metadata: { ...(object['metadata'] as JsonObject), labels: { a: 'b' } },
    }));
    await api.get(path, { holds: { metadata: { labels: { a: 'b', 'kubernetes.io/metadata.name': ns } } } });
  },

  async 'OrderedNamespaceDeletion: Pods go first'(api) {
    const ns = await api.namespace('ordered-deletion');
    const path = `/api/v1/namespaces/${ns}`;
    await api.post(`${path}/pods`, pod('test-pod', { finalizers: ['e2e.example.com/finalizer'] }));
    await api.post(`${path}/configmaps`, { metadata: { name: 'kept' } });
    await api.delete(path);
    await api.untilHolds(path, ({ status }) =>
      each(at(status, 'conditions'), 'type').includes('NamespaceDeletionContentFailure'),
    );
    await api.untilHolds(`${path}/pods/test-pod`, ({ metadata }) => at(metadata, 'deletionTimestamp') !== undefined);
    await api.get(`${path}/configmaps/kept`);
    await api.patch('merge', `${path}/pods/test-pod`, { metadata: { finalizers: null } });
    await api.untilGone(path);
  },

  async 'ResourceQuota: changes of the status'(api, ns) {
    const path = `/api/v1/namespaces/${ns}/resourcequotas/q`;
    const hard = { cpu: '500m', memory: '500Mi' };
    await api.post(`/api/v1/namespaces/${ns}/resourcequotas`, {
      metadata: { name: 'q', labels: { e2e: 'q' } },
      spec: { hard },
    });
    const counted = ({ status }: JsonObject): boolean =>
      at(status, 'hard', 'memory') === '500Mi' && at(status, 'used', 'cpu') === '0';
    await api.untilHolds(path, counted);
    const status = { hard: { cpu: '1', memory: '1Gi' } };
    await api.update(
      path,
      (object) => ({ ...object, status: { ...(object['status'] as JsonObject), ...status } }),
      '/status',
    );
    const second = { hard: { cpu: '2', memory: '2Gi' }, used: { cpu: '1', memory: '1Gi' } };
    await api.patch(
      'merge',
      `${path}/status`,
      { metadata: { labels: { patched: 'yes' } }, status: second },
      { holds: { status: second } },
    );

    await api.get(`${path}/status`, { holds: { kind: 'ResourceQuota', spec: { hard } } });
  },

  async 'ResourceQuota: counts claims of devices'(api, ns) {
    const claims = `/apis/resource.k8s.io/v1/namespaces/${ns}/resourceclaims`;
    const path = `/api/v1/namespaces/${ns}/resourcequotas/q`;
    const hard = { 'count/resourceclaims.resource.k8s.io': '1' };
    await api.post(`/api/v1/namespaces/${ns}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard } });
    await api.untilHolds(path, ({ status }) => at(status, 'used', 'count/resourceclaims.resource.k8s.io') === '0');
    const claim = (name: string): JsonObject => ({
      metadata: { name },
      spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } },
    });
    await api.post(claims, claim('one'));
    await api.post(claims, claim('two'), { status: 403 });
    await api.untilHolds(path, ({ status }) => at(status, 'used', 'count/resourceclaims.resource.k8s.io') === '1');
  },

  async 'API priority and fairness: levels and schemas have a status'(api) {
    const base = '/apis/flowcontrol.apiserver.k8s.io/v1';
    const level = {
      metadata: { name: 'e2e-level' },
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } } },
    };
    await api.post(`${base}/prioritylevelconfigurations`, level);
    const path = `${base}/prioritylevelconfigurations/e2e-level`;
    await api.patch(
      'merge',
      path,
      { spec: { limited: { nominalConcurrencyShares: 4 } } },
      { holds: { spec: { limited: { nominalConcurrencyShares: 4 } } } },
    );
    await api.patch(
      'merge',
      `${path}/status`,
      { status: { conditions: [PATCHED] } },
      { holds: { status: { conditions: [PATCHED] } } },
    );
    await api.get(`${path}/status`, { holds: { status: { conditions: [{ reason: 'Patched' }] } } });
    await api.delete(path);
  },

  async 'Table transformation: refused where there are no objects'(api) {
    const review = { spec: { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } } };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    await api.post(path, review, { accept: TABLE, status: 406, holds: { reason: 'NotAcceptable' } });
  },

  async 'Table transformation: in chunks'(api, ns) {
    const path = `/api/v1/namespaces/${ns}/podtemplates`;
    const template = { metadata: { labels: { foo: 'bar' } }, spec: { containers: [{ name: 'test', image: 'test2' }] } };
    for (let n = 0; n < 20; n += 1)
      await api.post(path, { metadata: { name: `template-${String(n).padStart(4, '0')}` }, template });
    const accept = `${TABLE}, application/json`;
    const page = await api.get(`${path}?limit=2`, { accept, holds: { kind: 'Table' } });
    assert.equal((page['rows'] as unknown[]).length, 2);
    assert.equal(at(page, 'metadata', 'remainingItemCount'), 18);
    const next = await api.get(`${path}?continue=${String(at(page, 'metadata', 'continue'))}`, { accept });
    assert.equal((next['rows'] as unknown[]).length, 18);
  },

  async 'WatchList: what there is, then a bookmark'(api, ns) {
    for (const name of ['one', 'two'])
      await api.post(`/api/v1/namespaces/${ns}/secrets`, { metadata: { name, labels: { w: 'l' } } });
    const query =
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=w%3Dl';
    const path = `/api/v1/namespaces/${ns}/secrets?${query}`;
    const events = await api.events(path, (seen) => seen.some(({ type }) => type === 'BOOKMARK'));
    assert.deepEqual(
      events.map(({ type, object }) => `${type} ${String(at(object, 'metadata', 'name') ?? '')}`),
      ['ADDED one', 'ADDED two', 'BOOKMARK '],
    );
    assert.equal(at(events[2]?.object, 'metadata', 'annotations', 'k8s.io/initial-events-end'), 'true');
  },

  async 'API chunking: a list whose beginning is gone goes on'(api, ns) {
    const path = `/api/v1/namespaces/${ns}/podtemplates`;
    const template = { metadata: { labels: { foo: 'bar' } }, spec: { containers: [{ name: 'test', image: 'test2' }] } };
    for (let n = 0; n < 12; n += 1)
      await api.post(path, { metadata: { name: `t-${String(n).padStart(2, '0')}` }, template });
    const first = await api.get(`${path}?limit=5`);
    const rest = await api.get(`${path}?limit=40&continue=${String(at(first, 'metadata', 'continue'))}`);
    assert.equal(at(rest, 'metadata', 'resourceVersion'), at(first, 'metadata', 'resourceVersion'));
    assert.equal((rest['items'] as unknown[]).length, 7);
    await api.get(`${path}?limit=5&continue=nonsense`, { status: 400 });
  },

  async 'FieldValidation: unknown and duplicate fields of built-in kinds'(api, ns) {
    const path = `/apis/apps/v1/namespaces/${ns}/deployments`;
    const told = async (
      method: string,
      target: string,
      text: string,
      status: number,
      type?: string,
    ): Promise<string> => {
      const sent = { status, ...(type === undefined ? {} : { type: `application/${type}` }) };
      return String((await api.call(method, `${target}?fieldValidation=Strict`, text, sent))['message']);
    };
    const good = JSON.stringify(deployment({}));
    const twice = good.replace('"replicas":0', '"unknownField":"foo","replicas":2,"replicas":3');
    assert.match(
      await told('POST', path, twice, 400),
      /strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"/,
    );
    const meta = JSON.stringify(deployment({ metadata: { unknownMeta: 'foo', labels: { app: 'nginx' } } }));
    assert.match(await told('POST', path, meta, 400), /strict decoding error: unknown field "metadata.unknownMeta"/);

    await api.call('POST', path, good);
    const mergePatch = '{"spec":{"replicas":1,"replicas":2,"more":1}}';
    const errors = /strict decoding error: duplicate field "spec.replicas", unknown field "spec.more"/;
    for (const type of ['merge-patch+json', 'strategic-merge-patch+json']) {
      assert.match(await told('PATCH', `${path}/d`, mergePatch, 422, type), errors, type);
    }
    const jsonPatch = '[{"op":"add","path":"/spec/more","value":1,"path":"/spec/more","else":2}]';
    assert.match(
      await told('PATCH', `${path}/d`, jsonPatch, 422, 'json-patch+json'),
      /strict decoding error: json patch duplicate field "\[0\].path", json patch unknown field "\[0\].else", unknown field "spec.more"/,
    );
    const warned = await api.send('PATCH', `${path}/d`, mergePatch, { type: 'application/merge-patch+json' });
    assert.equal(
      warned.headers['warning'],
      '299 - "duplicate field \\"spec.replicas\\"", 299 - "unknown field \\"spec.more\\""',
    );
  },

  async 'FieldValidation: unknown and duplicate fields of custom resources'(api) {
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const group = 'validated.e2e.example.com';
    const port = {
      type: 'object',
      required: ['containerPort', 'protocol'],
      properties: {
        containerPort: { type: 'integer', format: 'int32' },
        name: { type: 'string' },
        protocol: { type: 'string' },
      },
    };
    const ports = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
      items: port,
    };
    const template = {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { metadata: { type: 'object', properties: { name: { type: 'string' } } }, spec: { type: 'object' } },
    };
    const properties = { foo: { type: 'string' }, cronSpec: { type: 'string', pattern: '^.+$' }, ports, template };
    const spec = (more: JsonObject): JsonObject => ({
      type: 'object',
      properties: { spec: { type: 'object', ...more } },
    });
    const schemas: Record<string, JsonObject> = {
      strict: spec({ properties }),
      open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      mixed: spec({ properties, 'x-kubernetes-preserve-unknown-fields': true }),
    };
    for (const [plural, openAPIV3Schema] of Object.entries(schemas)) {
      const versions = [{ name: 'v1beta1', served: true, storage: true, schema: { openAPIV3Schema } }];
      const names = { plural, kind: plural };
      await api.post(definitions, {
        metadata: { name: `${plural}.${group}` },
        spec: { group, scope: 'Cluster', names, versions },
      });
      const path = `/apis/${group}/v1beta1/${plural}`;
      await until(`${path} is served`, async () => (await api.send('GET', path)).status === 200 || undefined);
    }
    const apply = (plural: string, text: string, status: number): Promise<JsonObject> => {
      const body = `apiVersion: ${group}/v1beta1\nkind: ${plural}\n${text}`;
      const path = `/apis/${group}/v1beta1/${plural}/mytest?fieldManager=mgr&fieldValidation=Strict`;
      return api.patch('apply', path, body, { status });
    };
    const valid = 'spec:\n  cronSpec: "* * * * */5"\n  ports:\n  - name: x\n    containerPort: 80\n    protocol: TCP\n';
    await apply('strict', `metadata: { name: mytest }\n${valid}`, 201);
    await apply('open', `metadata: { name: mytest }\n${valid}  unknown: uk1\n`, 201);
    const extra = await apply('strict', `metadata: { name: mytest }\nunknownField: unknown\n${valid}`, 500);
    assert.match(String(extra['message']), /\.unknownField: field not declared in schema/);
    const embedded =
      '  template: { apiVersion: foo/v1, kind: Sub, metadata: { unknownSubMeta: unknown, name: sub } }\n';
    const meta = await apply('mixed', `metadata: { name: mytest, unknownMeta: unknown }\n${valid}${embedded}`, 500);
    assert.match(String(meta['message']), /\.metadata\.unknownMeta: field not declared in schema/);
    const twice = await apply('mixed', `metadata: { name: mytest }\n${valid}  unknown: uk1\n  unknown: uk2\n`, 400);
    assert.match(String(twice['message']), /key "unknown" already set in map/);
    for (const plural of Object.keys(schemas)) await api.delete(`${definitions}/${plural}.${group}`);
  },

  async 'ServerSideApply: status only where it is meant'(api, ns) {
    const path = `/api/v1/namespaces/${ns}/pods/test-pod`;
    const head = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'test-pod' } };
    await api.patch('apply', path, { ...head, spec: { containers: [{ name: 'c', image: 'i' }] } }, { status: 201 });
    const status = { ...head, status: { conditions: [{ type: 'MyStatus', status: 'True' }] } };
    const main = await api.patch('apply', `${path}?fieldManager=another`, status);
    assert.ok(!each(at(main, 'status', 'conditions'), 'type').includes('MyStatus'));
    await api.patch('apply', `${path}/status`, status, { holds: { status: { conditions: [{ type: 'MyStatus' }] } } });
  },

  async 'ValidatingAdmissionPolicy: operations'(api) {
    const base = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
    const rules = [
      { apiGroups: ['e2e.example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['things'] },
    ];
    const policy = {
      metadata: { generateName: 'e2e-policy-', labels: { e2e: 'policy' } },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: { resourceRules: rules },
        validations: [{ expression: 'true', messageExpression: "'as it is'" }],
      },
    };
    const names: string[] = [];
    for (let n = 0; n < 3; n += 1) names.push(String(at(await api.post(base, policy), 'metadata', 'name')));
    assert.equal((await api.items(`${base}?labelSelector=e2e=policy`)).length, 3);
    const path = `${base}/${names[0]}`;
    await api.patch(
      'merge',
      path,
      { metadata: { annotations: { patched: 'true' } }, spec: { failurePolicy: 'Ignore' } },
      { holds: { spec: { failurePolicy: 'Ignore' } } },
    );
    const status = { conditions: [PATCHED], observedGeneration: 1 };
    await api.patch('merge', `${path}/status`, { status }, { holds: { status } });
    await api.update(path, (object) => ({ ...object, status: { ...status, observedGeneration: 2 } }), '/status');
    await api.get(`${path}/status`, { holds: { status: { observedGeneration: 2 } } });
    await api.delete(path);
    await api.delete(`${base}?labelSelector=e2e=policy`);
    assert.equal((await api.items(`${base}?labelSelector=e2e=policy`)).length, 0);
  },

  async 'AdmissionWebhook: match conditions are stored, and judged'(api) {
    for (const kind of ['validating', 'mutating']) {
      const base = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
      const hook = (expression: string): JsonObject => ({
        name: 'never.e2e.example.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: { url: 'https://192.0.2.1/never' },
        rules: [{ apiGroups: ['e2e.example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['things'] }],
        matchConditions: [{ name: 'it', expression }],
      });
      const body = (expression: string): JsonObject => ({
        metadata: { name: 'e2e-hooks' },
        webhooks: [hook(expression)],
      });
      await api.post(base, body("object.metadata.namespace == 'a'"));
      const changed = [{ name: 'it', expression: "object.metadata.namespace == 'b'" }];
      await api.update(`${base}/e2e-hooks`, (object) => ({
        ...object,
        webhooks: body("object.metadata.namespace == 'b'")['webhooks'] ?? [],
      }));
      await api.get(`${base}/e2e-hooks`, { holds: { webhooks: [{ matchConditions: changed }] } });
      await api.delete(`${base}/e2e-hooks`);
    }
  },

  async 'Discovery: each group and version is found'(api) {
    const { groups } = (await api.get('/apis')) as unknown as {
      groups: { name: string; preferredVersion: { groupVersion: string }; versions: { groupVersion: string }[] }[];
    };
    for (const { name, preferredVersion, versions } of groups) {
      const group = await api.get(`/apis/${name}`, { holds: { kind: 'APIGroup', name } });
      assert.equal(at(group, 'preferredVersion', 'groupVersion'), preferredVersion.groupVersion);
      for (const { groupVersion } of versions) {
        const list = await api.get(`/apis/${groupVersion}`, { holds: { kind: 'APIResourceList', groupVersion } });
        assert.ok((list['resources'] as unknown[]).length > 0, groupVersion);
      }
    }
    await api.get('/apis/never-found.example.com', { status: 404 }).catch(async (error: unknown) => {
      // Upstream answers with plain text.
      if (!(error instanceof SyntaxError)) throw error;
    });
  },

  async 'Server request timeout: a bad one is refused'(api) {
    const answer = await api.send('GET', '/readyz?timeout=-');
    assert.equal(answer.status, 400, answer.text);
    for (const timeout of ['0s', '10s'])
      assert.equal((await api.send('GET', `/version?timeout=${timeout}`)).status, 200);
  },

  async 'Garbage collector: what a deleted owner owned goes, or stays'(api, ns) {
    const maps = `/api/v1/namespaces/${ns}/configmaps`;
    for (const policy of ['Background', 'Orphan', 'Foreground']) {
      const owner = await api.post(maps, { metadata: { name: `owner-${policy.toLowerCase()}` } });
      const { name, uid } = owner['metadata'] as { name: string; uid: string };
      const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid, blockOwnerDeletion: true }];
      await api.post(maps, { metadata: { name: `owned-${policy.toLowerCase()}`, ownerReferences } });
      await api.delete(`${maps}/${name}?propagationPolicy=${policy}`);
      await api.untilGone(`${maps}/${name}`);
      const owned = `${maps}/owned-${policy.toLowerCase()}`;
      if (policy === 'Orphan')
        await api.untilHolds(owned, ({ metadata }) => at(metadata, 'ownerReferences') === undefined);
      else await api.untilGone(owned);
    }
  },

  async 'Watchers: concurrent watches see one order'(api, ns) {
    const maps = `/api/v1/namespaces/${ns}/configmaps`;
    const first = await api.get(maps);
    const revision = String(at(first, 'metadata', 'resourceVersion'));
    for (let n = 0; n < 10; n += 1) await api.post(maps, { metadata: { name: `cm-${n}`, labels: { o: 'n' } } });
    await api.delete(`${maps}?labelSelector=o%3Dn`);
    const path = `${maps}?labelSelector=o%3Dn&resourceVersion=${revision}`;
    const orders = await Promise.all(
      [0, 1, 2].map(async () => {
        const events = await api.events(path, (seen) => seen.length >= 20);
        return events.map(({ type, object }) => `${type} ${String(at(object, 'metadata', 'resourceVersion'))}`).join();
      }),
    );
    assert.equal(new Set(orders).size, 1, orders.join('\n'));
  },

  async 'CustomResourceDefinition: its status can be written'(api: Api) {
    const base = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const path = `${base}/lives.e2e.example.com`;
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const spec = {
      group: 'e2e.example.com',
      scope: 'Cluster',
      names: { plural: 'lives', kind: 'Life' },
      versions: [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }],
    };
    await api.post(base, { metadata: { name: 'lives.e2e.example.com' }, spec });
    await api.untilHolds(path, ({ status }) => each(at(status, 'conditions'), 'type').includes('Established'));
    await api.update(
      path,
      (object) => {
        const conditions = [
          ...(at(object, 'status', 'conditions') as JsonObject[]),
          { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'updated' },
        ];
        return { ...object, status: { ...(object['status'] as JsonObject), conditions } };
      },
      '/status',
    );
    await api.get(`${path}/status`, { holds: { status: { conditions: [{ type: 'StatusUpdate', reason: 'E2E' }] } } });
    await until(
      'the kind is served',
      async () => (await api.send('GET', '/apis/e2e.example.com/v1/lives')).status === 200 || undefined,
    );
    await api.delete(path);
    await api.untilGone(path);
  },
};

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../pkg/api/schema.ts';
import { type Answer, ApiServerProcess } from './api-server.ts';
import { until } from './controllers/cluster.ts';

let server: ApiServerProcess;
before(async () => {
  server = await ApiServerProcess.start();
});
after(() => server?.stop());

const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  server.send({ method: 'GET', path, headers });

/** The value at a path of keys. */
function at(document: unknown, ...keys: readonly (string | number)[]): unknown {
  return keys.reduce((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
}

const json = ({ text }: Answer): JsonObject => JSON.parse(text) as JsonObject;

const GVK = 'x-kubernetes-group-version-kind';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

describe('OpenAPI 3', () => {
  test('documents have the addresses of their contents', async () => {
    const index = json(await get('/openapi/v3'));
    const address = String(at(index, 'paths', 'apis/apps/v1', 'serverRelativeURL'));
    const [path = '', hash = ''] = address.split('?hash=');
    assert.equal(path, '/openapi/v3/apis/apps/v1');
    const found = await get(address);
    assert.equal(found.status, 200);
    assert.equal(found.headers['etag'], `"${hash}"`);
    assert.equal(found.headers['cache-control'], 'public, immutable');
    assert.ok(Date.parse(String(found.headers['expires'])) > Date.now());
    const plain = await get(path);
    assert.deepEqual([plain.status, plain.headers['expires']], [200, undefined]);
    assert.equal((await get(path, { 'if-none-match': `"${hash}"` })).status, 304);
    const moved = await get(`${path}?hash=OLD`);
    assert.deepEqual([moved.status, moved.headers['location']], [301, address]);
    assert.equal((await get('/openapi/v3/apis/none/v1')).status, 404);
  });

  test('forms', async () => {
    const type = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf';
    for (const [accept, status, answer] of [
      ['application/json', 200, 'application/json'],
      ['*/*', 200, 'application/json'],
      [type, 200, type],
      ['application/com.github.proto-openapi.spec.v3@v1.0+protobuf', 200, type],
      ['text/html', 406, undefined],
      ['text/html, application/json;q=0.5', 200, 'application/json'],
    ] as const) {
      const { status: code, headers } = await get('/openapi/v3/apis/policy/v1', { accept });
      assert.deepEqual([code, headers['content-type']], [status, answer], accept);
    }
  });

  test('schemas and operations are upstream’s', async () => {
    const document = json(await get('/openapi/v3/apis/policy/v1'));
    const schema = (name: string, ...keys: string[]): unknown => at(document, 'components', 'schemas', name, ...keys);
    const spec = (...keys: string[]): unknown =>
      schema('io.k8s.api.policy.v1.PodDisruptionBudgetSpec', 'properties', ...keys);
    assert.deepEqual(spec('maxUnavailable', 'allOf'), [
      { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString' },
    ]);
    assert.match(String(spec('selector', 'description')), /^Label query over pods/);
    assert.equal(spec('selector', 'x-kubernetes-patch-strategy'), 'replace');
    assert.deepEqual(spec('unhealthyPodEvictionPolicy', 'enum'), ['AlwaysAllow', 'IfHealthyBudget']);
    assert.match(String(spec('unhealthyPodEvictionPolicy', 'description')), /\n\nPossible enum values:\n - `"Always/);
    const status = (...keys: string[]): unknown =>
      schema('io.k8s.api.policy.v1.PodDisruptionBudgetStatus', 'properties', ...keys);
    assert.deepEqual(status('disruptedPods', 'additionalProperties'), { $ref: `#/components/schemas/${META}.Time` });
    assert.deepEqual(status('conditions', 'x-kubernetes-list-map-keys'), ['type']);
    assert.equal(status('expectedPods', 'default'), 0);
    const list = schema('io.k8s.api.policy.v1.PodDisruptionBudgetList', 'properties', 'items');
    assert.deepEqual(Object.keys(list as object).sort(), ['description', 'items', 'type'], 'no list type is declared');
    assert.deepEqual(schema(`${META}.DeleteOptions`, GVK), [
      { group: '', version: 'v1', kind: 'DeleteOptions' },
      { group: 'policy', version: 'v1', kind: 'DeleteOptions' },
    ]);
    assert.match(String(schema(`${META}.Time`, 'description')), /^Time is a wrapper/);
    assert.deepEqual(at(document, 'components', 'securitySchemes', 'BearerToken', 'name'), 'authorization');

    const path = '/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/{name}/status';
    const item = (...keys: (string | number)[]): unknown => at(document, 'paths', path, ...keys);
    assert.equal(item('patch', 'description'), 'partially update status of the specified PodDisruptionBudget');
    const names = (parameters: unknown): string[] => (parameters as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(names(item('parameters')), ['name', 'namespace', 'pretty']);
    assert.deepEqual(names(item('patch', 'parameters')), ['dryRun', 'fieldManager', 'fieldValidation', 'force']);
    assert.equal(item('parameters', 0, 'description'), 'name of the PodDisruptionBudget');
    const exec = json(await get('/openapi/v3/api/v1'));
    const union = at(exec, 'components', 'schemas', 'io.k8s.api.core.v1.SeccompProfile', 'x-kubernetes-unions');
    const fields = { localhostProfile: 'LocalhostProfile' };
    assert.deepEqual(union, [{ discriminator: 'type', 'fields-to-discriminateBy': fields }]);
    const connect = at(exec, 'paths', '/api/v1/namespaces/{namespace}/pods/{name}/exec');
    assert.deepEqual(Object.keys(connect as object).sort(), ['get', 'parameters', 'post']);
    const all = ['command', 'container', 'name', 'namespace', 'stderr', 'stdin', 'stdout', 'tty'];
    assert.deepEqual(names(at(connect, 'parameters')), all);
  });
});

test('OpenAPI 2 shares parameters under upstream’s names and tells of everything but defaults', async () => {
  const answer = await get('/openapi/v2', { 'accept-encoding': 'identity' });
  const document = json(answer);
  const parameters = Object.keys(document['parameters'] as object);
  for (const known of ['allowWatchBookmarks-HC2hJt-J', 'fieldManager-7c6nTn1T', 'sendInitialEvents-rLXlEK_k']) {
    assert.ok(parameters.includes(known), known);
  }
  assert.deepEqual(document['security'], [{ BearerToken: [] }]);
  const spec = at(document, 'definitions', 'io.k8s.api.apps.v1.Deployment', 'properties', 'spec') as JsonObject;
  assert.deepEqual(Object.keys(spec), ['description', '$ref']);
  const kinds = at(document, 'definitions', `${META}.DeleteOptions`, GVK) as object[];
  assert.ok(kinds.length > 45, `DeleteOptions is of ${kinds.length} group versions`);
  const etag = String(answer.headers['etag']);
  const type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
  const older = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  const binary = await get('/openapi/v2', { accept: older });
  assert.deepEqual([binary.status, binary.headers['content-type'], binary.headers['etag']], [200, type, etag]);
  assert.equal((await get('/openapi/v2', { 'if-none-match': etag })).status, 304);
  assert.equal((await get('/openapi/v2', { accept: 'text/html' })).status, 406);
});

test('custom resources are told of in both, each in its own way', async () => {
  const properties = {
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer', default: 3, nullable: true },
        port: { 'x-kubernetes-int-or-string': true },
        inner: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          properties: { spec: { type: 'object' } },
        },
        list: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'A list.' },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { a: { type: 'string' } } },
      },
      required: ['size', 'list'],
    },
  };
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'boxes.open.example.com' },
    spec: {
      group: 'open.example.com',
      scope: 'Namespaced',
      names: { plural: 'boxes', kind: 'Box' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties } } },
      ],
    },
  };
  const before = json(await get('/openapi/v3'));
  const headers = { 'content-type': 'application/json' };
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  assert.equal((await server.send({ method: 'POST', path, headers, body: JSON.stringify(crd) })).status, 201);
  const index = await until('the group is in the index', async () => {
    const found = json(await get('/openapi/v3'));
    return at(found, 'paths', 'apis/open.example.com/v1') === undefined ? undefined : found;
  });
  assert.equal(at(index, 'paths', 'apis/open.example.com'), undefined, 'definitions bring no document of the group');
  assert.deepEqual(at(index, 'paths', 'apis/apps/v1'), at(before, 'paths', 'apis/apps/v1'), 'others stay as they are');
  const v3 = json(await get('/openapi/v3/apis/open.example.com/v1'));
  const name = 'com.example.open.v1.Box';
  const ofSpec = (document: JsonObject, ...root: string[]): unknown =>
    at(document, ...root, name, 'properties', 'spec', 'properties');
  const inV3 = ofSpec(v3, 'components', 'schemas');
  assert.deepEqual(at(inV3, 'size'), { type: 'integer', default: 3, nullable: true });
  assert.deepEqual(at(inV3, 'port', 'anyOf'), [{ type: 'integer' }, { type: 'string' }]);
  assert.deepEqual(at(inV3, 'inner', 'required'), ['kind', 'apiVersion']);
  assert.deepEqual(Object.keys(at(inV3, 'inner', 'properties') as object).sort(), [
    'apiVersion',
    'kind',
    'metadata',
    'spec',
  ]);
  const items = at(v3, 'components', 'schemas', `${name}List`, 'properties', 'items', 'items');
  assert.deepEqual(items, { $ref: `#/components/schemas/${name}` });
  const v2 = json(await get('/openapi/v2'));
  const { inner, ...others } = ofSpec(v2, 'definitions') as JsonObject;
  assert.ok(inner);
  assert.deepEqual(others, {
    size: {},
    port: { 'x-kubernetes-int-or-string': true },
    list: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'A list.' },
    free: { 'x-kubernetes-preserve-unknown-fields': true },
  });
  assert.deepEqual(at(v2, 'definitions', name, 'properties', 'spec', 'required'), ['list']);
  const binary = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf';
  assert.equal((await get('/openapi/v3/apis/open.example.com/v1', { accept: binary })).status, 200);
});

test('discovery names the groups of other servers, stale when those cannot be asked', async () => {
  const service = { name: 'none', namespace: 'default' };
  const spec = { group: 'far.example.org', version: 'v1', groupPriorityMinimum: 100, versionPriority: 10, service };
  const body = JSON.stringify({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1.far.example.org' },
    spec: { ...spec, insecureSkipTLSVerify: true },
  });
  const path = '/apis/apiregistration.k8s.io/v1/apiservices';
  const headers = { 'content-type': 'application/json' };
  assert.equal((await server.send({ method: 'POST', path, headers, body })).status, 201);
  const groupVersion = { groupVersion: 'far.example.org/v1', version: 'v1' };
  const group = { name: 'far.example.org', versions: [groupVersion], preferredVersion: groupVersion };
  const groups = json(await get('/apis'))['groups'] as { name: string }[];
  assert.deepEqual(groups.at(-1), group);
  assert.deepEqual(json(await get('/apis/far.example.org')), { kind: 'APIGroup', apiVersion: 'v1', ...group });
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const items = json(await get('/apis', { accept }))['items'] as object[];
  assert.deepEqual(items.at(-1), {
    metadata: { name: 'far.example.org' },
    versions: [{ version: 'v1', freshness: 'Stale' }],
  });
  assert.equal((await get('/apis/far.example.org/v1')).status, 503);
});

test('what another server has is in discovery, and its OpenAPI is passed on', async (t) => {
  const group = 'near.example.org';
  const resource = { name: 'things', singularName: 'thing', namespaced: true, kind: 'Thing', verbs: ['get'] };
  const part = { ...resource, name: 'things/status', singularName: '' };
  const documents: Readonly<Record<string, object>> = {
    [`/apis/${group}/v1`]: { kind: 'APIResourceList', groupVersion: `${group}/v1`, resources: [resource, part] },
    [`/openapi/v3/apis/${group}/v1`]: { openapi: '3.0.0', info: { title: 'near' } },
  };
  // Nobody verifies who it is.
  const tls = { cert: readFileSync(server.tls.cert), key: readFileSync(server.tls.key) };
  const other = createServer(tls, (request, response) => {
    const document = documents[request.url ?? ''];
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  t.after(() => other.close());
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const post = async (path: string, object: object): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await server.send({ method: 'POST', path, headers, body: JSON.stringify(object) });
    assert.equal(answer.status, 201, answer.text);
  };
  const metadata = { name: 'near' };
  const spec = { type: 'ExternalName', externalName: '127.0.0.1' };
  await post('/api/v1/namespaces/default/services', { apiVersion: 'v1', kind: 'Service', metadata, spec });
  await post('/apis/apiregistration.k8s.io/v1/apiservices', {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `v1.${group}` },
    spec: {
      group,
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 10,
      insecureSkipTLSVerify: true,
      service: { ...metadata, namespace: 'default', port },
    },
  });
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const items = json(await get('/apis', { accept }))['items'] as { metadata: { name: string } }[];
  const verbs = ['get'];
  const kind = { group: '', version: '', kind: 'Thing' };
  assert.deepEqual(items.find((item) => item.metadata.name === group)?.['versions' as never], [
    {
      version: 'v1',
      resources: [
        {
          resource: 'things',
          responseKind: kind,
          scope: 'Namespaced',
          singularResource: 'thing',
          verbs,
          subresources: [{ subresource: 'status', responseKind: kind, verbs }],
        },
      ],
      freshness: 'Current',
    },
  ]);
  const address = at(json(await get('/openapi/v3')), 'paths', `apis/${group}/v1`, 'serverRelativeURL');
  assert.equal(at(json(await get(String(address))), 'info', 'title'), 'near');
  assert.equal(at(json(await get(`/apis/${group}/v1`)), 'resources', 0, 'kind'), 'Thing');
});

test('methods and forms of documents', async () => {
  const send = (method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    server.send({ method, path, headers });
  for (const [method, path, accept, status] of [
    ['GET', '/version', 'application/yaml', 406],
    // As OpenAPI names them, and with it generated clients.
    ['GET', '/version/', '*/*', 200],
    ['GET', '/apis/', '*/*', 200],
    ['GET', '/apis/apps/v1/', '*/*', 200],
    ['GET', '/openid/v1/jwks/', '*/*', 200],
    ['POST', '/version', '*/*', 405],
    ['GET', '/apis/apps/v1', 'application/*', 406],
    ['GET', '/apis/apps', 'text/html, */*;q=0.1', 200],
    ['DELETE', '/apis/apps', '*/*', 405],
    ['POST', '/apis', '*/*', 200],
    ['GET', '/api/v1/namespaces/none', 'application/json;as=Table;g=meta.k8s.io;v=v9', 406],
    ['GET', '/api/v1/namespaces/none', 'application/json', 404],
  ] as const) {
    assert.equal((await send(method, path, { accept })).status, status, `${method} ${path} ${accept}`);
  }
  const refused = await send('GET', '/api/v1/pods', { accept: 'application/x-yaml' });
  assert.match(refused.text, /^\{\n {2}"kind": "Status"/, 'for people');
  assert.match(refused.text, /application\/json;stream=watch, application\/vnd/);
  for (const [query, agent, indented] of [
    ['', 'kubectl', false],
    ['?pretty=x', 'curl/8', false],
    ['?pretty=', 'curl/8', true],
    ['?pretty=1', 'kubectl', true],
    ['', 'Mozilla/5.0 (X11)', true],
    ['', 'Mozilla/4.0', false],
  ] as const) {
    const { text } = await send('GET', `/api/v1/namespaces/default${query}`, { 'user-agent': agent });
    assert.equal(text.startsWith('{\n'), indented, `${query} ${agent}`);
    assert.equal(text.endsWith('\n'), !indented, 'what is not indented ends with a line feed');
  }
});

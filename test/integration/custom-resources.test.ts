import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ensureKubectl } from '../../packaging/dev/lib/kubectl.ts';
import type { JsonObject } from '../../pkg/api/schema.ts';
import { ApiServerProcess } from './api-server.ts';
import { until } from './controllers/cluster.ts';

let server: ApiServerProcess;
let program: string;
before(async () => {
  program = (await ensureKubectl()).program;
  server = await ApiServerProcess.start({ controllers: true });
});
after(() => server?.stop());

const exec = promisify(execFile);
const GROUP = 'shop.example.com';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const ORDERS = `/apis/${GROUP}/v1/namespaces/default/orders`;

interface Reply {
  readonly status: number;
  readonly body: JsonObject;
}

async function send(method: string, path: string, body?: object, type = 'application/json'): Promise<Reply> {
  const given = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': type } };
  const { status, text } = await server.send({ method, path, ...given });
  return { status, body: text.startsWith('{') ? (JSON.parse(text) as JsonObject) : {} };
}

const merge = (path: string, body: object): Promise<Reply> => send('PATCH', path, body, 'application/merge-patch+json');

async function kubectl(...args: string[]): Promise<string> {
  const env = { ...process.env, KUBECONFIG: server.kubeconfig };
  const { stdout } = await exec(program, args, { env, timeout: 60_000 });
  return stdout;
}

function definition(plural: string, versions: readonly object[]): object {
  const kind = `${plural[0]?.toUpperCase()}${plural.slice(1, -1)}`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: { group: GROUP, scope: 'Namespaced', names: { plural, kind, shortNames: [`${plural}x`] }, versions },
  };
}

const version = (name: string, storage: boolean, properties: object, more: object = {}): object => ({
  name,
  served: true,
  storage,
  schema: {
    openAPIV3Schema: {
      type: 'object',
      description: 'An order.',
      properties: { spec: { type: 'object', properties } },
    },
  },
  ...more,
});

const served = (path: string): Promise<boolean> =>
  until(`${path} is served`, async () => (await send('GET', path)).status === 200 || undefined);

const order = (name: string, spec: object, apiVersion = `${GROUP}/v1`): object => ({
  apiVersion,
  kind: 'Order',
  metadata: { name },
  spec,
});

test('a hundred definitions at once are established, and go', async (t) => {
  const begun = performance.now();
  const names = Array.from({ length: 100 }, (_, index) => `thing${index}s`);
  const replies = await Promise.all(
    names.map((name) => send('POST', CRDS, definition(name, [version('v1', true, { a: { type: 'string' } })]))),
  );
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([201]));
  await until('all are established', async () => {
    const { body } = await send('GET', CRDS);
    const items = body['items'] as { status: { conditions?: { type: string; status: string }[] } }[];
    const established = items.filter(({ status }) =>
      (status.conditions ?? []).some(({ type, status: value }) => type === 'Established' && value === 'True'),
    );
    return established.length === names.length || undefined;
  });
  const answers = await Promise.all(names.map((name) => send('GET', `/apis/${GROUP}/v1/${name}`)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const { body } = await send('GET', `/openapi/v3/apis/${GROUP}/v1`);
  const schemas = (body['components'] as { schemas: JsonObject }).schemas;
  assert.ok(schemas['com.example.shop.v1.Thing99']);
  t.diagnostic(`established and described after ${Math.round(performance.now() - begun)} ms`);
  await Promise.all(names.map((name) => send('DELETE', `${CRDS}/${name}.${GROUP}`)));
  await until('the group is gone', async () => (await send('GET', `/apis/${GROUP}`)).status === 404 || undefined);
});

test('kubectl apply, explain, get, short names, columns and server-side apply', async () => {
  const columns = [
    { name: 'Amount', type: 'integer', jsonPath: '.spec.amount' },
    { name: 'Paid', type: 'string', jsonPath: '.status.conditions[?(@.type=="Paid")].status' },
  ];
  const properties = {
    amount: { type: 'integer', minimum: 1, description: 'How many.' },
    note: { type: 'string', default: 'none' },
  };
  const more = { additionalPrinterColumns: columns };
  assert.equal((await send('POST', CRDS, definition('orders', [version('v1', true, properties, more)]))).status, 201);
  await served(ORDERS);
  await kubectl('wait', '--for=condition=Established', `crd/orders.${GROUP}`, '--timeout=60s');
  assert.equal((await send('POST', ORDERS, order('one', { amount: 3 }))).status, 201);
  assert.match(await kubectl('explain', 'orders.spec.amount'), /How many\./);
  assert.match(await kubectl('get', 'ordersx'), /NAME\s+AMOUNT\s+PAID\none\s+3/);
  const second = await kubectl('get', 'orders', 'one', '-o', 'jsonpath={.spec.note}');
  assert.equal(second, 'none');
  const patch = `spec: {amount: 5}`;
  await kubectl('patch', 'order', 'one', '--type=merge', '-p', patch);
  const refused = await merge(`${ORDERS}/one`, { spec: { amount: 0 } });
  assert.equal(refused.status, 422);
});

test('another version is added: objects are read and written in both, and the stored ones get what is new', async () => {
  const name = `${CRDS}/orders.${GROUP}`;
  const v1 = version('v1', false, { amount: { type: 'integer', maximum: 4 }, note: { type: 'string' } });
  const v2 = version('v2', true, {
    amount: { type: 'integer' },
    note: { type: 'string' },
    colour: { type: 'string', default: 'red' },
  });
  const changed = await merge(name, { spec: { versions: [v1, v2] } });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  const inV2 = `/apis/${GROUP}/v2/namespaces/default/orders`;
  await served(inV2);
  const read = await send('GET', `${inV2}/one`);
  assert.equal(read.body['apiVersion'], `${GROUP}/v2`);
  assert.deepEqual(read.body['spec'], { amount: 5, note: 'none', colour: 'red' });
  assert.equal((await send('GET', `${ORDERS}/one`)).body['apiVersion'], `${GROUP}/v1`);
  // 5 is more than the new schema allows, but it is not what this changes.
  assert.equal((await merge(`${ORDERS}/one`, { spec: { note: 'kept' } })).status, 200);
  assert.equal((await merge(`${ORDERS}/one`, { spec: { amount: 6 } })).status, 422);
  assert.equal((await send('POST', inV2, order('two', { colour: 'blue' }, `${GROUP}/v2`))).status, 201);
  const list = await send('GET', ORDERS);
  const items = list.body['items'] as { apiVersion: string; spec: object }[];
  assert.deepEqual(
    items.map(({ apiVersion, spec }) => [apiVersion, spec]),
    [
      [`${GROUP}/v1`, { amount: 5, note: 'kept' }],
      [`${GROUP}/v1`, {}],
    ],
  );
  const stored = (await send('GET', name)).body['status'] as { storedVersions: string[] };
  assert.deepEqual(stored.storedVersions, ['v1', 'v2']);
});

const PARCELS = `/apis/${GROUP}/v1/namespaces/default/parcels`;
const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const APPLY = 'application/apply-patch+yaml';

/** What a real API server 1.36 says to the same requests. */
const REFUSALS: readonly (readonly [method: string, path: string, type: string, body: unknown, said: RegExp])[] = [
  ['POST', '?dryRun=', '', {}, /^CreateOptions.*dryRun: Unsupported value: .*supported values: "All"$/],
  [
    'POST',
    '?fieldManager=a%00',
    '',
    {},
    /fieldManager: Invalid value: "a\\x00": invalid character U\+0000 \(at position 1\)$/,
  ],
  [
    'PATCH',
    '/a?dryRun=x',
    APPLY,
    {},
    /is invalid: \[fieldManager: Required value: is required for apply patch, dryRun: Unsupp/,
  ],
  ['PATCH', '/a', MERGE, null, /^Invalid JSON Patch$/],
  ['PATCH', '/a', MERGE, { metadata: { name: null } }, /^the name of the object \(a based on URL\) was undeterminable/],
  [
    'PATCH',
    '/a',
    MERGE,
    { metadata: { resourceVersion: '0' } },
    /metadata.resourceVersion: .*must be specified for an update$/,
  ],
  [
    'PATCH',
    '/a',
    MERGE,
    { kind: 'Foo' },
    /^Foo\.shop\.example\.com "a" is invalid: kind: Invalid value: "Foo": must be Parcel$/,
  ],
  ['PATCH', '/a', MERGE, { kind: null }, /: Object 'Kind' is missing in /],
  [
    'PATCH',
    '/a',
    JSON_PATCH,
    {},
    /^error decoding patch: json: cannot unmarshal object into Go value of type \[\]handlers.jsonPatchOp$/,
  ],
  ['PATCH', '/a', 'application/apply-patch+json', {}, /^the body of the request was in an unknown format/],
  ['PATCH', '/a?fieldManager=m', APPLY, null, /^invalid object type: \/, Kind=$/],
  [
    'PATCH',
    '/a?fieldManager=m',
    APPLY,
    { spec: { weight: 'x', none: 1 } },
    /^failed to create typed patch object \(\/a; .*\): errors:\n {2}\.spec\.weight: expected numeric \(int or float\), got string\n {2}\.spec\.none: field not declared in schema$/,
  ],
  [
    'PATCH',
    '/a?fieldManager=m',
    APPLY,
    { spec: { note: null } },
    /^Parcel.* spec.note in body must be of type string: "null"$/,
  ],
  [
    'PATCH',
    '/a/scale',
    'application/strategic-merge-patch+json',
    {},
    /^the body of the request was in an unknown format/,
  ],
  ['PATCH', '/a/scale', MERGE, {}, /^the spec replicas field ".spec.replicas" cannot be empty$/],
  [
    'PATCH',
    '/a/scale',
    MERGE,
    { spec: { replicas: 'x' } },
    /^ "" is invalid: patch: .*cannot unmarshal string into Go struct field/,
  ],
  ['GET', '/none/scale', '', undefined, /^parcels\.shop\.example\.com "none" not found$/],
  [
    'PATCH',
    '/a/status',
    MERGE,
    { status: { phase: 1 } },
    /is invalid: status.phase: .*: phase in body must be of type string: "integer"$/,
  ],
  ['DELETE', '/a', '', { propagationPolicy: '' }, /supported values: "Foreground", "Background", "Orphan", "nil"$/],
  [
    'DELETE',
    '/a',
    '',
    { orphanDependents: 'x' },
    /^json: cannot unmarshal string into Go struct field DeleteOptions.orphanDependents/,
  ],
  ['GET', '?continue=!', '', undefined, /continue key is not valid: illegal base64 data at input byte 0$/],
  ['GET', '?limit=9999999999999999999', '', undefined, /^strconv.ParseInt: .*: value out of range$/],
  ['GET', '?watch=1&continue=x', '', undefined, /resourceVersionMatch is forbidden when continue is provided$/],
];

test('what is asked for wrongly is refused in the words of upstream', async () => {
  const status = { type: 'object', properties: { phase: { type: 'string' }, replicas: { type: 'integer' } } };
  const properties = { weight: { type: 'integer' }, note: { type: 'string' }, replicas: { type: 'integer' } };
  const spec = { type: 'object', properties };
  const given = version(
    'v1',
    true,
    {},
    {
      schema: { openAPIV3Schema: { type: 'object', properties: { spec, status } } },
      subresources: {
        status: {},
        scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
      },
    },
  );
  assert.equal((await send('POST', CRDS, definition('parcels', [given]))).status, 201);
  await served(PARCELS);
  const parcel = { apiVersion: `${GROUP}/v1`, kind: 'Parcel', metadata: { name: 'a' }, spec: { weight: 1 } };
  assert.equal((await send('POST', PARCELS, parcel)).status, 201);
  for (const [method, path, type, part, said] of REFUSALS) {
    const { spec: _, ...named } = parcel;
    const isWhole = type === APPLY && part !== null;
    const text = JSON.stringify(isWhole ? { ...named, ...(part as object) } : part);
    const request = part === undefined ? {} : { body: text, headers: { 'content-type': type || 'application/json' } };
    const answer = await server.send({ method, path: PARCELS + path, ...request });
    const what = `${method} ${path} ${text}: ${answer.status} ${answer.text}`;
    assert.ok(answer.status >= 400, what);
    assert.match((JSON.parse(answer.text) as { message: string }).message, said, what);
  }
  // A Scale that goes to nothing says nothing of replicas: they are nobody's then.
  await merge(`${PARCELS}/a?fieldManager=one`, { spec: { replicas: 2 } });
  await merge(`${PARCELS}/a/scale?fieldManager=two`, { spec: { replicas: 0 } });
  const { managedFields } = (await send('GET', `${PARCELS}/a`)).body['metadata'] as { managedFields: object[] };
  assert.doesNotMatch(JSON.stringify(managedFields), /f:replicas/);
  // The version of a new object matters only where it would be stored, and only when it is one.
  const versioned = (name: string, resourceVersion: string): object => ({
    ...parcel,
    metadata: { name, resourceVersion },
  });
  for (const [query, object, status] of [
    ['', versioned('b', '5'), 500],
    ['', { ...versioned('b', '5'), spec: { weight: 'x' } }, 422],
    ['?dryRun=All', versioned('b', '5'), 201],
    ['?dryRun=All', versioned('a', '5'), 409],
    ['', versioned('b', '0'), 201],
    ['', versioned('c', 'none'), 201],
  ] as const)
    assert.equal((await send('POST', PARCELS + query, object)).status, status, JSON.stringify([query, object]));
  // A watch from a version that is still to come waits for it.
  const ahead = await server.send({
    method: 'GET',
    path: `${PARCELS}?watch=1&timeoutSeconds=1&resourceVersion=99999999`,
  });
  assert.deepEqual([ahead.status, ahead.text], [200, '']);
  await send('DELETE', `${CRDS}/parcels.${GROUP}`);
});

test('names that are taken are not given again until they are free', async () => {
  const other = definition('purchases', [version('v1', true, {})]) as { spec: { names: { kind: string } } };
  other.spec.names.kind = 'Order';
  assert.equal((await send('POST', CRDS, other)).status, 201);
  const conditions = async (): Promise<string[]> => {
    const { body } = await send('GET', `${CRDS}/purchases.${GROUP}`);
    const { conditions: found } = body['status'] as { conditions?: { type: string; status: string; reason: string }[] };
    return (found ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
  };
  await until('refused', async () => (await conditions()).length > 0 || undefined);
  assert.deepEqual(await conditions(), ['NamesAccepted=False ListKindConflict', 'Established=False NotAccepted']);
  assert.equal((await send('GET', `/apis/${GROUP}/v1/purchases`)).status, 404);
  await send('DELETE', `${CRDS}/purchases.${GROUP}`);
});

test('owners, namespaces and definitions take their objects with them', async () => {
  await kubectl('create', 'namespace', 'brief');
  const path = `/apis/${GROUP}/v1/namespaces/brief/orders`;
  const owner = await send('POST', path, order('owner', {}));
  const { uid } = owner.body['metadata'] as { uid: string };
  const reference = { apiVersion: `${GROUP}/v1`, kind: 'Order', name: 'owner', uid };
  const child = { ...order('child', {}), metadata: { name: 'child', ownerReferences: [reference] } };
  assert.equal((await send('POST', path, child)).status, 201);
  await send('DELETE', `${path}/owner`);
  await until('the child is collected', async () => (await send('GET', `${path}/child`)).status === 404 || undefined);
  await send('POST', path, order('last', {}));
  await kubectl('delete', 'namespace', 'brief', '--timeout=20s');
  assert.equal((await send('GET', `${path}/last`)).status, 404);
  const held = { ...order('held', {}), metadata: { name: 'held', finalizers: ['example.com/hold'] } };
  assert.equal((await send('POST', ORDERS, held)).status, 201);
  await send('DELETE', `${CRDS}/orders.${GROUP}`);
  await until('the others are gone', async () => (await send('GET', `${ORDERS}/one`)).status === 404 || undefined);
  assert.equal((await send('POST', ORDERS, order('late', {}))).status, 405);
  await merge(`${ORDERS}/held`, { metadata: { finalizers: null } });
  await until(
    'the definition is gone',
    async () => (await send('GET', `${CRDS}/orders.${GROUP}`)).status === 404 || undefined,
  );
  assert.equal((await send('GET', ORDERS)).status, 404);
});

test('definitions are served again after a restart', async () => {
  await send('POST', CRDS, definition('orders', [version('v1', true, { amount: { type: 'integer' } })]));
  await served(ORDERS);
  await send('POST', ORDERS, order('one', { amount: 3 }));
  await server.kill();
  await server.restart();
  assert.deepEqual((await send('GET', `${ORDERS}/one`)).body['spec'], { amount: 3 });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOf } from '../../api/facts.ts';
import type { FieldSchema, Json, JsonObject, Schema, StructSchema } from '../../api/schema.ts';
import { rootSchema } from '../custom/structural-schema.ts';
import { StatusError } from '../status-error.ts';
import { applyConfiguration, LAST_APPLIED_ANNOTATION } from './apply.ts';
import { fieldsOf } from './extract.ts';
import {
  difference,
  type FieldSet,
  fieldSetOf,
  intersection,
  pathsOf,
  pathText,
  recursiveDifference,
  setsEqual,
  union,
} from './field-set.ts';
import { setApart, updateManagedFields } from './update.ts';

const configMap = schemaOf('core.v1.ConfigMap');
const deployment = schemaOf('apps.v1.Deployment');
const pod = schemaOf('core.v1.Pod');

let seconds = 0;
const now = (): string =>
  `2026-01-01T00:${String(Math.floor(++seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}Z`;

/** `manager operation[/subresource]` → FieldsV1, without the outermost spelling. */
function owners(object: JsonObject): Record<string, unknown> {
  const list = ((object['metadata'] as JsonObject)['managedFields'] ?? []) as JsonObject[];
  return Object.fromEntries(
    list.map(({ manager, operation, subresource, fieldsV1 }) => [
      `${String(manager)} ${String(operation)}${subresource === undefined ? '' : `/${String(subresource)}`}`,
      fieldsV1,
    ]),
  );
}

const leaf = {};

test('set algebra', () => {
  const a: FieldSet = { 'f:spec': { '.': leaf, 'f:a': leaf, 'f:b': { 'f:c': leaf } } };
  const b: FieldSet = { 'f:spec': { 'f:a': leaf, 'f:b': leaf } };
  assert.deepEqual(union(a, b), { 'f:spec': { '.': leaf, 'f:a': leaf, 'f:b': { '.': leaf, 'f:c': leaf } } });
  assert.deepEqual(difference(a, b), { 'f:spec': { '.': leaf, 'f:b': { 'f:c': leaf } } });
  assert.deepEqual(recursiveDifference(a, b), { 'f:spec': leaf });
  assert.deepEqual(difference(a, { 'f:spec': leaf }), { 'f:spec': { 'f:a': leaf, 'f:b': { 'f:c': leaf } } });
  assert.deepEqual(recursiveDifference(a, { 'f:spec': leaf }), {});
  assert.deepEqual(intersection(a, b), { 'f:spec': { 'f:a': leaf } });
  assert.equal(setsEqual(a, structuredClone(a)), true);
  assert.equal(setsEqual(a, b), false);
  assert.equal(difference(a, { 'f:other': leaf }), a);
  assert.deepEqual(fieldSetOf('spec', 'metadata.labels'), { 'f:spec': leaf, 'f:metadata': { 'f:labels': leaf } });
  assert.deepEqual(a, { 'f:spec': { '.': leaf, 'f:a': leaf, 'f:b': { 'f:c': leaf } } });
});

test('paths', () => {
  const set: FieldSet = {
    'f:spec': {
      'f:replicas': leaf,
      'f:list': { 'k:{"port":80,"protocol":"TCP"}': { 'f:x': leaf } },
      'f:set': { 'v:"a"': leaf },
    },
  };
  assert.deepEqual([...pathsOf(set)].map(pathText), [
    '.spec.replicas',
    '.spec.list[port=80,protocol="TCP"].x',
    '.spec.set[="a"]',
  ]);
});

test('the fields of an object', () => {
  const config = {
    spec: {
      selector: { matchLabels: { app: 'a' } },
      template: {
        metadata: { labels: { app: 'a' } },
        spec: { containers: [{ name: 'c', ports: [{ containerPort: 80, name: 'p' }], args: ['x'], resources: {} }] },
      },
    },
  };
  assert.deepEqual(fieldsOf(config, deployment), {
    'f:spec': {
      'f:selector': leaf,
      'f:template': {
        'f:metadata': { 'f:labels': { 'f:app': leaf } },
        'f:spec': {
          'f:containers': {
            'k:{"name":"c"}': {
              '.': leaf,
              'f:args': leaf,
              'f:name': leaf,
              'f:ports': {
                'k:{"containerPort":80,"protocol":"TCP"}': { '.': leaf, 'f:containerPort': leaf, 'f:name': leaf },
              },
              'f:resources': leaf,
            },
          },
        },
      },
    },
  });
  assert.deepEqual(fieldsOf({ metadata: { finalizers: ['a'] }, data: {} }, configMap), {
    'f:metadata': { 'f:finalizers': { 'v:"a"': leaf } },
    'f:data': leaf,
  });
});

function update(
  live: JsonObject | undefined,
  next: JsonObject,
  manager = 'm',
  subresource = '',
  schema = configMap,
): JsonObject {
  const resetFields = subresource === 'status' ? fieldSetOf('spec') : fieldSetOf('status');
  const apiVersion = String(next['apiVersion'] ?? 'v1');
  return updateManagedFields({ live, next, schema, manager, apiVersion, subresource, time: now(), resetFields });
}

test('create tracks what the client and the defaults set, but nothing of the status', () => {
  const next = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: {
      containers: [{ name: 'c', image: 'i', env: [{ name: 'A', value: 'b' }], resources: {} }],
      restartPolicy: 'Always',
    },
    status: { phase: 'Pending' },
  };
  assert.deepEqual(owners(update(undefined, next, 'm', '', pod)), {
    'm Update': {
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': leaf,
            'f:env': { '.': leaf, 'k:{"name":"A"}': { '.': leaf, 'f:name': leaf, 'f:value': leaf } },
            'f:image': leaf,
            'f:name': leaf,
            'f:resources': leaf,
          },
        },
        'f:restartPolicy': leaf,
      },
    },
  });
});

test('updates: fields go over to who changes them, removed ones to nobody, unchanged ones stay', () => {
  const one = update(undefined, { metadata: { name: 'c' }, data: { a: '1', b: '2' } });
  const metadata = { ...(one['metadata'] as JsonObject), uid: 'u' };
  const live = { ...one, metadata };
  const two = update(live, { ...live, data: { a: '1', b: '3' } }, 'other');
  assert.deepEqual(owners(two), {
    'm Update': { 'f:data': { '.': leaf, 'f:a': leaf } },
    'other Update': { 'f:data': { 'f:b': leaf } },
  });
  const three = update(two, { ...two, data: { b: '3' } }, 'third');
  assert.deepEqual(owners(three), {
    'm Update': { 'f:data': leaf },
    'other Update': { 'f:data': { 'f:b': leaf } },
  });
  const same = update(three, three, 'fourth');
  assert.deepEqual(same, three);
});

test('a client without managedFields does not lose them; an empty entry resets them', () => {
  const live = update(undefined, { metadata: { name: 'c', uid: 'u' }, data: { a: '1' } });
  const without = update(live, { metadata: { name: 'c', uid: 'u' }, data: { a: '1' } }, 'x');
  assert.deepEqual(owners(without), owners(live));
  const reset = update(live, { metadata: { name: 'c', uid: 'u', managedFields: [{}] }, data: { a: '1' } }, 'x');
  assert.deepEqual(owners(reset), {});
  assert.deepEqual(owners(update(reset, { ...reset, data: { a: '2' } }, 'x')), {});
});

test('status through its subresource', () => {
  const live = {
    apiVersion: 'apps/v1',
    metadata: { name: 'd', managedFields: [entry('m', { 'f:spec': { 'f:replicas': leaf } })] },
    spec: { replicas: 1 },
    status: {},
  };
  const next = { ...live, spec: { replicas: 9 }, status: { replicas: 3 } };
  assert.deepEqual(owners(update(live, next, 'm', 'status', deployment)), {
    'm Update': { 'f:spec': { 'f:replicas': leaf } },
    'm Update/status': { 'f:status': { 'f:replicas': leaf } },
  });
});

function entry(manager: string, fieldsV1: FieldSet, operation = 'Update', time = '2025-01-01T00:00:00Z'): JsonObject {
  return { manager, operation, apiVersion: 'v1', time, fieldsType: 'FieldsV1', fieldsV1: fieldsV1 as JsonObject };
}

test('more than ten updaters are gathered', () => {
  const managedFields = Array.from({ length: 10 }, (_, i) =>
    entry(`m${i}`, { 'f:data': { [`f:k${i}`]: leaf } }, 'Update', `2025-01-01T00:00:0${i}Z`),
  );
  const live = { metadata: { name: 'c', managedFields }, data: {} as JsonObject };
  const result = owners(update(live, { ...live, data: { x: 'y' } }, 'new'));
  assert.equal(Object.keys(result).length, 10);
  assert.deepEqual(result['ancient-changes Update'], { 'f:data': { 'f:k0': leaf, 'f:k1': leaf } });
});

test('objects whose list items lack their keys keep their managers', () => {
  const id: FieldSchema = {
    name: 'id',
    schema: { kind: 'scalar', type: 'string' },
    required: true,
    number: 0,
    zero: 'keep',
  };
  const struct = { kind: 'struct', name: '', atomic: false, preserveUnknown: true, inlined: [] } as const;
  const items: Schema = { ...struct, fields: new Map([['id', id]]) };
  const list: FieldSchema = {
    ...id,
    name: 'list',
    schema: { kind: 'list', items, listType: 'map', mapKeys: ['id'], wrapped: false },
  };
  const custom: StructSchema = { ...struct, fields: new Map([['list', list]]) };
  const live = { metadata: { name: 'p', managedFields: [entry('m', { 'f:spec': leaf })] }, list: [] };
  const keyless = { ...live, list: [{ other: 'x' }] };
  assert.deepEqual(owners(update(live, keyless, 'x', '', custom)), { 'm Update': { 'f:spec': leaf } });
  const keyed = { ...live, list: [{ id: 'a', other: { deep: 1 } }] };
  assert.deepEqual(owners(update(live, keyed, 'x', '', custom)), {
    'm Update': { 'f:spec': leaf },
    'x Update': {
      'f:list': { 'k:{"id":"a"}': { '.': leaf, 'f:id': leaf, 'f:other': { '.': leaf, 'f:deep': leaf } } },
    },
  });
});

function apply(live: JsonObject | undefined, data: Json, manager: string, force = false): JsonObject {
  const config: JsonObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } };
  if (data !== undefined) config['data'] = data;
  return applyConfiguration({
    live,
    config,
    schema: configMap,
    kind: 'ConfigMap',
    apiVersion: 'v1',
    manager,
    force,
    subresource: '',
    time: now(),
  });
}

function failure(run: () => unknown): StatusError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    return error;
  }
  assert.fail('expected a failure');
}

test('apply: drop, share, conflict, force, let go', () => {
  const created = apply(undefined, { x: '1', y: '2' }, 'm1');
  assert.deepEqual(owners(created), { 'm1 Apply': { 'f:data': { 'f:x': leaf, 'f:y': leaf } } });
  assert.deepEqual(apply(created, { x: '1', y: '2' }, 'm1'), created);
  const dropped = apply(created, { x: '11' }, 'm1');
  assert.deepEqual(dropped['data'], { x: '11' });
  const shared = apply(apply(dropped, { z: '3' }, 'm2'), { x: '11', z: '3' }, 'm2');
  assert.deepEqual(owners(shared), {
    'm1 Apply': { 'f:data': { 'f:x': leaf } },
    'm2 Apply': { 'f:data': { 'f:x': leaf, 'f:z': leaf } },
  });
  const error = failure(() => apply(shared, { x: '12', z: '3' }, 'm2'));
  assert.equal(error.message, 'Apply failed with 1 conflict: conflict with "m1": .data.x');
  assert.deepEqual(error.status.details, {
    causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "m1"', field: '.data.x' }],
  });
  const forced = apply(shared, { x: '12', z: '3' }, 'm2', true);
  assert.deepEqual(owners(forced), { 'm2 Apply': { 'f:data': { 'f:x': leaf, 'f:z': leaf } } });
  const taken = update(forced, { ...forced, data: { x: '13', z: '3' } }, 'kubectl-edit');
  assert.deepEqual(owners(taken), {
    'm2 Apply': { 'f:data': { 'f:z': leaf } },
    'kubectl-edit Update': { 'f:data': { 'f:x': leaf } },
  });
  assert.equal(
    failure(() => apply(taken, { x: '15', z: '5' }, 'm3')).message,
    'Apply failed with 2 conflicts: conflicts with "kubectl-edit" using v1:\n- .data.x\nconflicts with "m2":\n- .data.z',
  );
  const gone = apply(taken, {}, 'm2');
  assert.deepEqual(gone['data'], { x: '13' });
});

test('apply: refusals', () => {
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } };
  const request = {
    live: undefined,
    schema: configMap,
    kind: 'ConfigMap',
    apiVersion: 'v1',
    manager: 'm',
    force: false,
    subresource: '',
    time: now(),
  };
  const table: [JsonObject, number, string][] = [
    [{ ...config, kind: 'Secret' }, 400, 'invalid object type: /v1, Kind=Secret'],
    [{ apiVersion: 'apps/v1' }, 400, 'invalid object type: apps/v1, Kind='],
    [{ ...config, metadata: { managedFields: [] } }, 400, 'metadata.managedFields must be nil'],
    [
      { ...config, metadata: { name: 'c', namespace: 'n' }, foo: 1 },
      500,
      'failed to create typed patch object (n/c; /v1, Kind=ConfigMap): .foo: field not declared in schema',
    ],
  ];
  for (const [body, code, message] of table) {
    const error = failure(() => applyConfiguration({ ...request, config: body }));
    assert.deepEqual([error.code, error.message], [code, message]);
  }
});

test('apply: keyed lists', () => {
  const run = (live: JsonObject | undefined, spec: JsonObject, manager: string): JsonObject =>
    applyConfiguration({
      live,
      config: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { template: { spec } } },
      schema: deployment,
      kind: 'Deployment',
      apiVersion: 'apps/v1',
      manager,
      force: false,
      subresource: '',
      time: now(),
      resetFields: fieldSetOf('status'),
    });
  const containers = (object: JsonObject): Json | undefined =>
    (((object['spec'] as JsonObject)['template'] as JsonObject)['spec'] as JsonObject)['containers'];
  const c = { name: 'c', image: 'i', env: [{ name: 'A', value: '1' }] };
  const one = run(undefined, { containers: [c] }, 'm1');
  const two = run(one, { containers: [{ name: 'side', image: 's' }] }, 'm2');
  assert.deepEqual(containers(two), [c, { name: 'side', image: 's' }]);
  const three = run(two, { containers: [{ name: 'c', env: [{ name: 'B', value: '2' }] }] }, 'm3');
  assert.deepEqual(containers(three), [
    {
      ...c,
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
    },
    { name: 'side', image: 's' },
  ]);
  assert.equal(
    failure(() => run(three, { containers: [{ name: 'c', image: 'i:2' }] }, 'm3')).message,
    'Apply failed with 1 conflict: conflict with "m1": .spec.template.spec.containers[name="c"].image',
  );
  // An item goes with its last owner, and what was defaulted into it goes along.
  const defaulted = structuredClone(three);
  (containers(defaulted) as JsonObject[])[1] = { name: 'side', image: 's', imagePullPolicy: 'Always' };
  const four = run(defaulted, {}, 'm2');
  assert.deepEqual(containers(four), [
    {
      ...c,
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
    },
  ]);
  const five = run(four, { containers: [{ name: 'c', image: 'i' }] }, 'm1');
  assert.deepEqual(containers(five), [{ name: 'c', image: 'i', env: [{ name: 'B', value: '2' }] }]);
});

test('apply to an object that nobody managed', () => {
  const live = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', uid: 'u' }, data: { a: '1' } };
  assert.equal(
    failure(() => apply(live, { a: '2' }, 'm1')).message,
    'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a',
  );
  assert.deepEqual(owners(apply(live, { b: '2' }, 'm1')), {
    'm1 Apply': { 'f:data': { 'f:b': leaf } },
    'before-first-apply Update': { 'f:data': { '.': leaf, 'f:a': leaf } },
  });
});

test('kubectl goes over from client-side to server-side apply without conflicts', () => {
  const lastApplied = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c' },
    data: { a: '1', b: '1' },
  });
  const annotations = { [LAST_APPLIED_ANNOTATION]: lastApplied };
  const live = update(
    undefined,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', uid: 'u', annotations }, data: { a: '1', b: '1' } },
    'kubectl-client-side-apply',
  );
  const applied = apply(live, { a: '2' }, 'kubectl');
  assert.deepEqual(applied['data'], { a: '2', b: '1' });
  const written = (applied['metadata'] as JsonObject)['annotations'] as JsonObject;
  assert.equal(
    written[LAST_APPLIED_ANNOTATION],
    '{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"name":"c"}}\n',
  );
  const edited = update(live, { ...live, data: { a: '9', b: '1' } }, 'someone');
  assert.equal(failure(() => apply(edited, { a: '2' }, 'kubectl')).code, 409);
  assert.equal(failure(() => apply(live, { a: '2' }, 'other')).code, 409);
});

/** A custom resource with a set, a keyed list and a place for anything. */
const thing = rootSchema(
  {
    type: 'object',
    properties: {
      set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
      list: {
        type: 'array',
        items: { type: 'object', required: ['k'], properties: { k: { type: 'string' }, v: { type: 'string' } } },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
      },
      any: { 'x-kubernetes-preserve-unknown-fields': true },
    },
  },
  schemaOf('meta.v1.ObjectMeta'),
);

function applyThing(live: JsonObject | undefined, fields: JsonObject, manager: string, more: object = {}): JsonObject {
  const config = { apiVersion: 'x.y/v1', kind: 'Thing', metadata: { name: 't' }, ...fields };
  const request = { apiVersion: 'x.y/v1', kind: 'Thing', subresource: '', time: now(), force: false, schema: thing };
  return applyConfiguration({ ...request, live, config, manager, ...more });
}

test('apply: items keep the places they have beside those of the configuration', () => {
  const cases: readonly (readonly [live: string, config: string, merged: string])[] = [
    ['abc', 'd', 'abcd'],
    ['abc', 'cb', 'acb'],
    ['abc', 'dc', 'abdc'],
    ['02', '231', '0231'],
    ['302', '231', '0231'],
    ['abcd', 'da', 'bcda'],
  ];
  for (const [live, config, merged] of cases) {
    const object = { apiVersion: 'x.y/v1', kind: 'Thing', metadata: { name: 't' }, set: [...live] };
    assert.equal(
      (applyThing(object, { set: [...config] }, 'm')['set'] as string[]).join(''),
      merged,
      `${live}+${config}`,
    );
  }
});

test('apply: an item that is there twice is replaced by its one configuration', () => {
  const twice = [
    { k: 'a', v: '1' },
    { k: 'a', v: '2' },
    { k: 'b', v: '3' },
  ];
  const object = { apiVersion: 'x.y/v1', kind: 'Thing', metadata: { name: 't' }, list: twice };
  assert.deepEqual(applyThing(object, { list: [{ k: 'a' }] }, 'm', { force: true })['list'], [
    { k: 'a' },
    { k: 'b', v: '3' },
  ]);
});

test('apply: letting go of all labels leaves the rest of the metadata', () => {
  const labelled = applyThing(undefined, { metadata: { name: 't', uid: 'u', labels: { a: 'b' } } }, 'm');
  const bare = applyThing(labelled, {}, 'm')['metadata'] as JsonObject;
  assert.equal(bare['uid'], 'u');
  assert.equal(bare['labels'], undefined);
});

test('free JSON may become something else', () => {
  const object = applyThing(undefined, { any: { a: { b: 1 } } }, 'm');
  assert.deepEqual(owners(update(object, { ...object, any: 4 }, 'u', '', thing)), { 'u Update': { 'f:any': leaf } });
  const scalar = applyThing(undefined, { any: 4 }, 'm');
  assert.deepEqual(owners(update(scalar, { ...scalar, any: { a: 1 } }, 'u', '', thing)), {
    'u Update': { 'f:any': { '.': leaf, 'f:a': leaf } },
  });
});

test('entries of versions that are gone go', () => {
  const versions = ['x.y/v1'];
  const old = applyThing(undefined, { set: ['a'], any: 1 }, 'm', {
    apiVersion: 'x.y/v0',
    config: { apiVersion: 'x.y/v0', kind: 'Thing', metadata: { name: 't' }, any: 1 },
  });
  assert.deepEqual(Object.keys(owners(old)), ['m Apply']);
  const next = applyThing({ ...old, apiVersion: 'x.y/v1' }, { any: 2 }, 'other', { versions });
  assert.deepEqual(owners(next), { 'other Apply': { 'f:any': leaf } });
});

test('a conflict with the replicas of a Scale is told as one of the Scale', () => {
  const scaled = applyThing(undefined, { any: 1 }, 'm', { subresource: 'scale' });
  assert.equal(
    failure(() => applyThing(scaled, { any: 2 }, 'n', { subresource: 'scale' })).message,
    'Apply failed with 1 conflict: conflict with "m" with subresource "scale": .spec.replicas',
  );
});

test('a write through the Scale sets the hold of updaters on the replicas apart', () => {
  const entry = (manager: string, operation: string, fieldsV1: JsonObject, more: JsonObject = {}): JsonObject => ({
    manager,
    operation,
    apiVersion: 'apps/v1',
    time: '2026-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...more,
  });
  const both = { 'f:spec': { 'f:paused': leaf, 'f:replicas': leaf } };
  const replicas = { 'f:spec': { 'f:replicas': leaf } };
  const scaler = entry('s', 'Update', replicas, { subresource: 'scale' });
  const object = { metadata: { managedFields: [entry('a', 'Apply', both), entry('u', 'Update', both), scaler] } };
  const timeless = ({ time: _, ...rest }: JsonObject): JsonObject => rest;
  assert.deepEqual(setApart(object, fieldSetOf('spec.replicas'))['metadata'], {
    managedFields: [
      entry('a', 'Apply', both),
      timeless(scaler),
      timeless(entry('u', 'Update', replicas)),
      entry('u', 'Update', { 'f:spec': { 'f:paused': leaf } }),
    ],
  });
});

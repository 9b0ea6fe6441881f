import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOf } from '../../api/facts.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import { StatusError } from '../status-error.ts';
import { applyJsonPatch, MAX_JSON_PATCH_OPERATIONS } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

function codeOf(run: () => unknown): [number, string] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    return [error.code, error.message];
  }
  return [200, ''];
}

test('JSON patch operations', () => {
  const table: [Json, JsonObject | number][] = [
    [[{ op: 'add', path: '/data/c', value: '3' }], { data: { a: '1', c: '3' }, list: [1, 2] }],
    [[{ op: 'replace', path: '/data/a', value: 'x' }], { data: { a: 'x' }, list: [1, 2] }],
    [[{ op: 'replace', path: '/data/none', value: '1' }], { data: { a: '1', none: '1' }, list: [1, 2] }],
    [[{ op: 'remove', path: '/data/a' }], { data: {}, list: [1, 2] }],
    [[{ op: 'copy', from: '/data/a', path: '/data/b' }], { data: { a: '1', b: '1' }, list: [1, 2] }],
    [[{ op: 'move', from: '/data/a', path: '/data/b' }], { data: { b: '1' }, list: [1, 2] }],
    [[{ op: 'test', path: '/data/a', value: '1' }], { data: { a: '1' }, list: [1, 2] }],
    [[{ op: 'add', path: '/list/-', value: 3 }], { data: { a: '1' }, list: [1, 2, 3] }],
    [[{ op: 'add', path: '/data/x.y~1z', value: 'd' }], { data: { a: '1', 'x.y/z': 'd' }, list: [1, 2] }],
    [[], { data: { a: '1' }, list: [1, 2] }],
    [[{ op: 'replace', path: '', value: { n: 1 } }], { n: 1 }],
    [[{ op: 'test', path: '/data/a', value: 'nope' }], 422],
    [[{ op: 'remove', path: '/data/none' }], 422],
    [[{ op: 'add', path: '/none/x', value: '1' }], 422],
    [[{ op: 'add', path: '/data/a/b', value: '1' }], 422],
    [[{ op: 'frob', path: '/data/a' }], 422],
    [[{ op: 'add', value: 1 }], 422],
    [[{ op: 'replace', path: '/list/7', value: 1 }], 422],
    [{}, 400],
  ];
  for (const [patch, expected] of table) {
    const object = { data: { a: '1' }, list: [1, 2] };
    if (typeof expected === 'number') {
      assert.equal(codeOf(() => applyJsonPatch(object, patch))[0], expected, JSON.stringify(patch));
    } else {
      assert.deepEqual(applyJsonPatch(object, patch), expected, JSON.stringify(patch));
    }
    assert.deepEqual(object, { data: { a: '1' }, list: [1, 2] });
  }
});

test('JSON patch limits', () => {
  const many = Array.from({ length: MAX_JSON_PATCH_OPERATIONS + 1 }, () => ({ op: 'test', path: '/a', value: 1 }));
  assert.deepEqual(
    codeOf(() => applyJsonPatch({ a: 1 }, many)),
    [413, 'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001'],
  );
  const doubling = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '/a', path: `/a/${i}` }));
  assert.equal(codeOf(() => applyJsonPatch({ a: { x: 'y'.repeat(100) } }, doubling))[0], 422);
});

test('JSON patch: paths that only the library of upstream takes', () => {
  const object = { list: ['a', 'b', 'c'], x: 1 };
  const cases: readonly (readonly [JsonObject, JsonObject])[] = [
    [
      { op: 'remove', path: '/list/-1' },
      { list: ['a', 'b'], x: 1 },
    ],
    [
      { op: 'remove', path: '/list/01' },
      { list: ['a', 'c'], x: 1 },
    ],
    [
      { op: 'add', path: '/list/-1', value: 'z' },
      { list: ['a', 'b', 'c', 'z'], x: 1 },
    ],
    [
      { op: 'add', path: 'anything/x', value: 2 },
      { list: ['a', 'b', 'c'], x: 2 },
    ],
    [{ op: 'test', path: '/none', value: null }, object],
  ];
  for (const [operation, result] of cases) {
    assert.deepEqual(applyJsonPatch(object, [operation]), result, JSON.stringify(operation));
  }
  assert.equal(codeOf(() => applyJsonPatch(object, { op: 'add' }))[0], 400);
  assert.equal(codeOf(() => applyJsonPatch(object, [{ op: 'test', path: '/x', value: null }]))[0], 422);
});

test('merge patch', () => {
  const object = { data: { a: '1', b: '2' }, list: [1, 2], keep: { x: 1 } };
  const result = applyMergePatch(object, { data: { m: '1', a: null, zz: null }, list: [3], new: { n: null, o: 1 } });
  assert.deepEqual(result, { data: { b: '2', m: '1' }, list: [3], keep: { x: 1 }, new: { o: 1 } });
  assert.equal(result['keep'], object.keep);
  assert.deepEqual(object.data, { a: '1', b: '2' });
  assert.deepEqual(applyMergePatch(object, { data: null }), { list: [1, 2], keep: { x: 1 } });
  assert.equal(codeOf(() => applyMergePatch(object, []))[0], 400);
  assert.equal(({} as JsonObject)['polluted'], undefined);
  applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}') as Json);
  assert.equal(({} as JsonObject)['polluted'], undefined);
});

const deployment = schemaOf('apps.v1.Deployment');
const pod = (spec: JsonObject): JsonObject => ({ spec: { template: { spec } } });

function strategic(original: JsonObject, patch: JsonObject): JsonObject {
  return applyStrategicMergePatch(pod(original), pod(patch), deployment)['spec'] as JsonObject;
}

const spec = (result: JsonObject): JsonObject => (result['template'] as JsonObject)['spec'] as JsonObject;

test('strategic merge: lists', () => {
  const c = {
    name: 'c',
    image: '1',
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ],
  };
  const table: [string, JsonObject, JsonObject, JsonObject][] = [
    [
      'by key',
      { containers: [c] },
      { containers: [{ name: 'c', image: '2' }] },
      { containers: [{ ...c, image: '2' }] },
    ],
    [
      'a new item comes before those it does not know',
      { containers: [c] },
      { containers: [{ name: 'side', image: 's' }] },
      { containers: [{ name: 'side', image: 's' }, c] },
    ],
    [
      'known neighbours stay neighbours',
      { containers: [c] },
      {
        containers: [
          {
            name: 'c',
            env: [
              { name: 'B', value: '22' },
              { name: 'C', value: '3' },
            ],
          },
        ],
      },
      {
        containers: [
          {
            ...c,
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '22' },
              { name: 'C', value: '3' },
            ],
          },
        ],
      },
    ],
    [
      'what is added takes the place of what went',
      { containers: [{ name: 'a' }, { name: 'b' }] },
      {
        containers: [{ name: 'c' }, { name: 'b', $patch: 'delete' }],
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }],
      },
      { containers: [{ name: 'a' }, { name: 'c' }] },
    ],
    [
      'delete',
      { containers: [c] },
      { containers: [{ name: 'c', env: [{ name: 'A', $patch: 'delete' }] }] },
      { containers: [{ ...c, env: [{ name: 'B', value: '2' }] }] },
    ],
    [
      'replace',
      { containers: [c] },
      { containers: [{ name: 'c', env: [{ name: 'Z', value: '9' }, { $patch: 'replace' }] }] },
      { containers: [{ ...c, env: [{ name: 'Z', value: '9' }] }] },
    ],
    [
      'element order',
      { containers: [{ name: 'a' }, { name: 'b' }, { name: 'x' }] },
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'b', image: 'q' }] },
      { containers: [{ name: 'b', image: 'q' }, { name: 'a' }, { name: 'x' }] },
    ],
    [
      'element order alone',
      { containers: [{ name: 'a' }, { name: 'b' }] },
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
      { containers: [{ name: 'b' }, { name: 'a' }] },
    ],
    [
      'number keys; the order of the interleaving',
      { containers: [{ name: 'c', ports: [{ containerPort: 80, name: 'http' }, { containerPort: 90 }] }] },
      { containers: [{ name: 'c', ports: [{ containerPort: 80, name: 'web' }, { containerPort: 91 }] }] },
      {
        containers: [
          { name: 'c', ports: [{ containerPort: 80, name: 'web' }, { containerPort: 91 }, { containerPort: 90 }] },
        ],
      },
    ],
    [
      'without strategy',
      { tolerations: [{ key: 'a' }] },
      { tolerations: [{ key: 'b' }] },
      { tolerations: [{ key: 'b' }] },
    ],
    ['null', { tolerations: [{ key: 'a' }] }, { tolerations: null }, {}],
    [
      'retainKeys',
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ name: 'v', secret: { secretName: 's' }, $retainKeys: ['name', 'secret'] }] },
      { volumes: [{ name: 'v', secret: { secretName: 's' } }] },
    ],
    [
      'replace a map',
      { nodeSelector: { a: 'b' } },
      { nodeSelector: { $patch: 'replace', c: 'd' } },
      { nodeSelector: { c: 'd' } },
    ],
    ['a directive for what is not there', {}, { nodeSelector: { $patch: 'replace', c: 'd' } }, {}],
    ['nulls in what is new', {}, { nodeSelector: { a: null, c: 'd' } }, { nodeSelector: { c: 'd' } }],
  ];
  for (const [name, original, patch, expected] of table) {
    const before = JSON.stringify(original);
    assert.deepEqual(spec(strategic(original, patch)), expected, name);
    assert.equal(JSON.stringify(original), before, name);
  }
});

test('strategic merge: lists of scalars', () => {
  const meta = (value: JsonObject): JsonObject => ({ metadata: value });
  const apply = (original: JsonObject, patch: JsonObject): JsonObject =>
    applyStrategicMergePatch(meta(original), meta(patch), deployment)['metadata'] as JsonObject;
  assert.deepEqual(apply({ finalizers: ['a', 'b'] }, { finalizers: ['c', 'a'] }), { finalizers: ['c', 'a', 'b'] });
  assert.deepEqual(apply({ finalizers: ['a', 'b'] }, { '$deleteFromPrimitiveList/finalizers': ['a'] }), {
    finalizers: ['b'],
  });
  assert.deepEqual(
    apply(
      { finalizers: ['a', 'b'] },
      { '$setElementOrder/finalizers': ['c', 'b'], '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] },
    ),
    { finalizers: ['c', 'b'] },
  );
});

test('strategic merge: failures', () => {
  const original = { containers: [{ name: 'c' }] };
  const table: [JsonObject, number, string][] = [
    [{ containers: [{ image: 'x' }] }, 500, 'map: map[image:x] does not contain declared merge key: name'],
    [
      { containers: [{ name: 'c', $patch: 'explode' }] },
      500,
      'unknown patch type: explode in map: map[$patch:explode name:c]',
    ],
    [
      { '$setElementOrder/containers': [{ name: 'zzz' }], containers: [{ name: 'c', image: 'q' }] },
      500,
      "The order in patch list:\n[map[image:q name:c]]\n doesn't match $setElementOrder list:\n[map[name:zzz]]\n",
    ],
    [{ $retainKeys: ['volumes'], containers: [] }, 400, 'invalid patch format of retainKeys'],
  ];
  for (const [patch, code, message] of table)
    assert.deepEqual(
      codeOf(() => strategic(original, patch)),
      [code, message],
    );
});

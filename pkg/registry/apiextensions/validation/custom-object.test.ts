import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import type { KubeObject } from '../../../api/types.ts';
import { fieldErrorText } from '../../../apimachinery/field-error.ts';
import { validateCustom } from './custom-object.ts';

const props: JSONSchemaProps = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        short: { type: 'string', maxLength: 2 },
        set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        pod: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
    status: { type: 'object', properties: { phase: { type: 'string' }, replicas: { type: 'integer' } } },
  },
};
const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
const validation = validateCustom(props, scale);
const object = (more: object): KubeObject => ({ metadata: { name: 'x' }, ...more }) as KubeObject;

test('a write of the status is judged by its own schema', () => {
  const before = object({ spec: { short: 'too long' } });
  const cases: readonly (readonly [status: unknown, texts: readonly string[]])[] = [
    [{ phase: 'a' }, []],
    [{ phase: 1 }, ['status.phase: Invalid value: "integer": phase in body must be of type string: "integer"']],
    [null, ['status: Invalid value: "null":  in body must be of type object: "null"']],
    [{ replicas: -1 }, ['.status.replicas: Invalid value: -1: should be a non-negative integer']],
  ];
  for (const [status, texts] of cases) {
    const after = object({ spec: { short: 'too long' }, status });
    assert.deepEqual(validation.validateStatus(after, before).map(fieldErrorText), texts, JSON.stringify(status));
  }
});

test('lists that had duplicates may have others', () => {
  const twice = object({ spec: { set: ['a', 'a'] } });
  const update = (old: KubeObject): string[] =>
    validation.validateUpdate(object({ spec: { set: ['b', 'b'] } }), old).map(fieldErrorText);
  assert.deepEqual(update(twice), []);
  assert.deepEqual(update(object({ spec: { set: ['a'] } })), ['spec.set[1]: Duplicate value: "b"']);
});

test('objects within the object say what they are', () => {
  const cases: readonly (readonly [pod: object, texts: readonly string[]])[] = [
    [{}, ['spec.pod.apiVersion: Required value', 'spec.pod.kind: Required value']],
    [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'A_b' } }, []],
    [
      { apiVersion: 'a/b/c', kind: '', metadata: { name: 'a/b', namespace: 'ns' } },
      [
        'spec.pod.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        'spec.pod.kind: Invalid value: "": must not be empty',
        'spec.pod.metadata.name: Invalid value: "a/b": may not contain \'/\'',
      ],
    ],
  ];
  for (const [pod, texts] of cases) {
    const found = validation.validateCreate(object({ spec: { pod } })).map(fieldErrorText);
    assert.deepEqual(found, texts, JSON.stringify(pod));
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropped, type ObjectKey, parseManifest } from './parse.ts';

test('documents, Lists and JSON; what others need comes first', () => {
  const text = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
---
# nothing here
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
  - {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
`;
  const names = parseManifest(text).map(({ kind, namespace, name }) => `${kind} ${namespace ?? '-'}/${name}`);
  assert.deepEqual(names, ['Namespace -/shop', 'Deployment shop/web', 'ConfigMap -/settings']);
  const [json] = parseManifest('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ""}}');
  assert.deepEqual(json?.namespace, undefined);
  assert.deepEqual(parseManifest('---\n# empty\n'), []);
});

test('what is no manifest is refused', () => {
  const cases: readonly [text: string, message: RegExp][] = [
    ['a: [b', /^yaml: did not find expected/],
    ['kind: Pod\nmetadata: {name: a}', /no apiVersion/],
    ['apiVersion: v1\nmetadata: {name: a}', /v1 has no kind/],
    ['apiVersion: v1\nkind: Pod\nmetadata: {generateName: a}', /kind Pod has no metadata.name/],
    ['just text', /no object of the API/],
    ['apiVersion: v1\nkind: Pod\nkind: Pod\nmetadata: {name: a}', /already set/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseManifest(text), { message }, text);
});

test('what a file no longer has', () => {
  const key = (apiVersion: string, kind: string, name: string, namespace?: string): ObjectKey => {
    return { apiVersion, kind, name, namespace };
  };
  const before = [
    key('v1', 'ConfigMap', 'a', 'x'),
    key('v1', 'ConfigMap', 'a', 'y'),
    key('apps/v1', 'Deployment', 'w'),
  ];
  const now = [key('v1', 'ConfigMap', 'a', 'x'), key('apps/v2', 'Deployment', 'w')];
  assert.deepEqual(dropped(before, now), [key('v1', 'ConfigMap', 'a', 'y')]);
  assert.deepEqual(dropped(before, []), before);
  assert.deepEqual(dropped([], now), []);
});

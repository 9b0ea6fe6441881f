import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asStrictErrors, parseYaml } from './yaml.ts';

test('nesting beyond what an API object may have is refused, however deep', () => {
  assert.throws(() => parseYaml(`${'['.repeat(1500)}${']'.repeat(1500)}`), /exceeded max depth/);
  assert.throws(() => parseYaml(`a: ${'{"a": '.repeat(1500)}1${'}'.repeat(1500)}`), /exceeded max depth/);
});

test('JSON is read as such, duplicate keys as in YAML', () => {
  assert.deepEqual(parseYaml('{"a": {"b": [1, "yes"]}}\n').value, { a: { b: [1, 'yes'] } });
  assert.deepEqual(parseYaml('{"a": 1, "a": 2}').duplicates, ['line 1: key "a" already set in map']);
  assert.deepEqual(parseYaml('{a: yes}').value, { a: true });
});

test('keys set twice are told with their lines; a strict reader makes one error of them', () => {
  const { value, duplicates } = parseYaml('a: 1\nb:\n  c: 2\n  c: 3\na: 4\n---\nanother: document\n');
  assert.deepEqual(value, { a: 4, b: { c: 3 } });
  assert.deepEqual(duplicates.toSorted(), ['line 4: key "c" already set in map', 'line 5: key "a" already set in map']);
  assert.deepEqual(asStrictErrors(['line 4: key "c" already set in map', 'unknown field "b"']), [
    'yaml: unmarshal errors:\n  line 4: key "c" already set in map',
    'unknown field "b"',
  ]);
});

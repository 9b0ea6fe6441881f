import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from './yaml.ts';

test('nesting beyond what an API object may have is refused, however deep', () => {
  assert.throws(() => parseYaml(`${'['.repeat(1500)}${']'.repeat(1500)}`), /exceeded max depth/);
  assert.throws(() => parseYaml(`a: ${'{"a": '.repeat(1500)}1${'}'.repeat(1500)}`), /exceeded max depth/);
});

test('JSON is read as such, duplicate keys as in YAML', () => {
  assert.deepEqual(parseYaml('{"a": {"b": [1, "yes"]}}\n').value, { a: { b: [1, 'yes'] } });
  assert.deepEqual(parseYaml('{"a": 1, "a": 2}').duplicates, ['key "a" already set in map']);
  assert.deepEqual(parseYaml('{a: yes}').value, { a: true });
});

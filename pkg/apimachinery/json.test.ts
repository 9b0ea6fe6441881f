import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../api/schema.ts';
import { cloneJson, sortedKeys } from './json.ts';

test('a copy is equal and shares nothing, whatever its keys are called', () => {
  const value = JSON.parse('{"a":[{"b":null},1,"x",false],"__proto__":{"c":2},"constructor":{}}') as JsonObject;
  const copy = cloneJson(value);
  assert.deepEqual(copy, value);
  assert.equal(JSON.stringify(copy), JSON.stringify(value));
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
  assert.notEqual(copy['a'], value['a']);
  assert.notEqual((copy['a'] as unknown[])[0], (value['a'] as unknown[])[0]);
});

test('keys come in order, whatever order they were set in', () => {
  const many = Array.from({ length: 50 }, (_, n) => `k${(n * 37) % 50}`);
  const cases = [[], ['b'], ['a', 'b', 'c'], ['a', 'c', 'b'], ['c', 'b', 'a'], ['b', 'B', '', 'a', 'x1', 'x']];
  for (const keys of [...cases, many, many.slice(0, 20), many.slice(0, 21)]) {
    const object = Object.fromEntries(keys.map((key) => [key, 1]));
    assert.deepEqual(sortedKeys(object), [...keys].sort());
  }
});

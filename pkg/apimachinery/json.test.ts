import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../api/schema.ts';
import { cloneJson } from './json.ts';

test('a copy is equal and shares nothing, whatever its keys are called', () => {
  const value = JSON.parse('{"a":[{"b":null},1,"x",false],"__proto__":{"c":2},"constructor":{}}') as JsonObject;
  const copy = cloneJson(value);
  assert.deepEqual(copy, value);
  assert.equal(JSON.stringify(copy), JSON.stringify(value));
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
  assert.notEqual(copy['a'], value['a']);
  assert.notEqual((copy['a'] as unknown[])[0], (value['a'] as unknown[])[0]);
});

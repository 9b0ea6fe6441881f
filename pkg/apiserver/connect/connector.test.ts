import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubeletRefusal } from './connector.ts';

test("what a kubelet refuses in plain words becomes the API's own failure", () => {
  const text = 'previous terminated container "app" in pod "web" not found';
  const bad = kubeletRefusal(400, text, 'web');
  assert.deepEqual([bad.code, bad.reason, bad.message], [400, 'BadRequest', text]);
  const missing = kubeletRefusal(404, 'pod "web" not found', 'web');
  assert.deepEqual([missing.code, missing.message], [404, 'pods "web" not found']);
  const broken = kubeletRefusal(500, 'no such file', 'web');
  assert.deepEqual([broken.code, broken.message], [500, 'Internal error occurred: no such file']);
});

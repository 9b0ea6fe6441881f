import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkKey, MAX_KEY_BYTES, prefixEnd } from './keys.ts';

test('prefixEnd is the least string above all with the prefix, in byte order', () => {
  assert.equal(prefixEnd('/registry/pods/'), '/registry/pods0');
  assert.equal(prefixEnd('a'), 'b');
  assert.equal(prefixEnd('a\u{10ffff}'), 'b');
  assert.equal(prefixEnd('a\ud7ff'), 'a\ue000');
  assert.equal(prefixEnd('a\u{1f600}'), 'a\u{1f601}');
  assert.equal(prefixEnd(''), undefined);
  assert.equal(prefixEnd('\u{10ffff}'), undefined);
});

test('checkKey', () => {
  const long = 'é'.repeat(MAX_KEY_BYTES / 2);
  for (const good of ['a', '/registry/pods/default/web', 'ключ', '😀', long]) checkKey(good);
  for (const bad of ['', 'a\0b', '\ud800', `${long}a`, 'a'.repeat(MAX_KEY_BYTES + 1)]) {
    assert.throws(() => checkKey(bad), { name: 'DatastoreError', code: 'invalid-key' });
  }
});

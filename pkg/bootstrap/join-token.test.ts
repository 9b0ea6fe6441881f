import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../base/component.ts';
import { caBundleHash, fitsCaBundle, formatJoinToken, isSameSecret, parseJoinToken } from './join-token.ts';

const HASH = caBundleHash('bundle\n');

test('every form is read and written alike', () => {
  const cases: [string, ReturnType<typeof parseJoinToken>][] = [
    [`K10${HASH}::server:pass:word`, { caHash: HASH, user: 'server', secret: 'pass:word' }],
    [`K10${HASH}::abcdef.0123456789abcdef`, { caHash: HASH, user: undefined, secret: 'abcdef.0123456789abcdef' }],
    ['node:secret', { caHash: undefined, user: 'node', secret: 'secret' }],
    ['secret', { caHash: undefined, user: undefined, secret: 'secret' }],
    ['K10secret', { caHash: undefined, user: undefined, secret: 'K10secret' }],
  ];
  for (const [text, token] of cases) {
    assert.deepEqual(parseJoinToken(`${text}\n`), token);
    assert.equal(formatJoinToken(token), text);
  }
  assert.equal(parseJoinToken(`K10${HASH.toUpperCase()}::server:x`).caHash, HASH);
});

test('a damaged token is refused without being shown', () => {
  const wrong = ['', ' ', 'geheim geheim', `K10${HASH.slice(1)}::server:geheim`, `K10${HASH}::`, `K10${HASH}::server:`];
  for (const text of [...wrong, `K10${'x'.repeat(64)}::server:geheim`, 'K10::server:geheim', ':geheim']) {
    assert.throws(
      () => parseJoinToken(text),
      (error) =>
        error instanceof OperatorError && !error.message.includes('geheim') && /server\/token/.test(error.message),
      text,
    );
  }
});

test('the hash is of the bundle as it is, to the byte', () => {
  const token = parseJoinToken(`K10${HASH}::server:x`);
  assert.equal(fitsCaBundle(token, 'bundle\n'), true);
  assert.equal(fitsCaBundle(token, 'bundle'), false);
  assert.equal(fitsCaBundle(parseJoinToken('x'), 'anything'), true);
  assert.deepEqual([isSameSecret('a', 'a'), isSameSecret('a', 'b'), isSameSecret('a', 'ab')], [true, false, false]);
});

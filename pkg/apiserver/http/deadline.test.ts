import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeLimit } from './deadline.ts';

const limit = (timeout?: string): number =>
  timeLimit(new URLSearchParams(timeout === undefined ? {} : { timeout }), 60_000);

test('a request may shorten its time, not lengthen it', () => {
  assert.equal(limit(), 60_000);
  assert.equal(limit(''), 60_000);
  assert.equal(limit('0s'), 60_000);
  assert.equal(limit('-5s'), 60_000);
  assert.equal(limit('0.0000000001s'), 60_000);
  assert.equal(limit('2m'), 60_000);
  assert.equal(limit('1.5s'), 1500);
});

test('what is no duration is refused in the words of Go', () => {
  const refused = (timeout: string, words: string): void =>
    assert.throws(() => limit(timeout), {
      code: 400,
      message: `invalid timeout specified in the request URL - time: ${words}`,
    });
  refused('x', 'invalid duration "x"');
  refused('10', 'missing unit in duration "10"');
  refused('5y', 'unknown unit "y" in duration "5y"');
});

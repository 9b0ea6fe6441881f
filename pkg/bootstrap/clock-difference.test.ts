import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockDifference } from './clock-difference.ts';

test('clocks that differ by more than a minute are told of', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  assert.equal(clockDifference(now, now + 59_000), undefined);
  assert.equal(clockDifference(now - 125 * 60_000, now), '2 h 5 min behind');
  assert.equal(clockDifference(now + 90_000, now), '2 min ahead of');
  assert.equal(clockDifference(now + 48 * 3_600_000, now), '2 d ahead of');
});

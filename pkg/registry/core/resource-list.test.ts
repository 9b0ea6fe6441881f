import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundAmounts } from './resource-list.ts';

test('amounts below thousandths are rounded up', () => {
  const amounts = { a: '100u', b: '1100u', c: '1n', d: '1m', e: '1e3', f: '1e-6', g: '-1n', h: '1Gi' };
  roundAmounts(amounts, undefined);
  assert.deepEqual(amounts, { a: '1m', b: '2m', c: '1m', d: '1m', e: '1e3', f: '1e-3', g: '-1m', h: '1Gi' });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SortedKeys } from './sorted-keys.ts';

test('keys are in order after any changes, asked for often or seldom', () => {
  const all = new Set<string>();
  const keys = new SortedKeys(() => all);
  // A generator of its own: the same changes each time.
  let state = 7;
  const next = (below: number): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  for (let step = 0; step < 20_000; step++) {
    const key = `/registry/${['a', 'b', 'c'][next(3)]}/${next(2000)}`;
    if (all.delete(key)) keys.delete(key);
    else {
      all.add(key);
      keys.add(key);
    }
    // Long without a question first, then with one every few changes.
    if (step < 5000 || next(step < 12_000 ? 2500 : 20) > 0) continue;
    const expected = [...all].filter((one) => one.startsWith('/registry/b/') && one > key).sort();
    assert.deepEqual(keys.range('/registry/b/', key, 10), expected.slice(0, 10));
    assert.equal(keys.count('/registry/b/', key), expected.length);
  }
});

test('a range begins after a key, be it there or not, and ends with the prefix', () => {
  const keys = new SortedKeys(() => ['/a/3', '/b/1', '/a/1', '/ab/1', '/a/2']);
  const every = Number.POSITIVE_INFINITY;
  assert.deepEqual(keys.range('/a/', '', every), ['/a/1', '/a/2', '/a/3']);
  assert.deepEqual(keys.range('/a/', '/a/1', every), ['/a/2', '/a/3']);
  assert.deepEqual(keys.range('/a/', '/a/15', 1), ['/a/2']);
  assert.deepEqual(keys.range('/a/', '/b/', every), []);
  assert.equal(keys.count('/a/', '/a/2'), 1);
  assert.equal(keys.count('/c/', ''), 0);
});

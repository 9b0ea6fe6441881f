import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IndexSet } from './indexes.ts';

test('the text of a set of indexes', () => {
  const cases: [number[], string][] = [
    [[], ''],
    [[0], '0'],
    [[0, 1], '0,1'],
    [[0, 1, 2], '0-2'],
    [[7, 3, 4, 5, 1], '1,3-5,7'],
    [[2, 2, 3], '2,3'],
  ];
  for (const [indexes, text] of cases) {
    const set = IndexSet.empty.with(indexes);
    assert.equal(set.toString(), text);
    assert.equal(IndexSet.parse(text, 100).toString(), text);
    assert.equal(set.size, new Set(indexes).size);
  }
});

test('reading leaves out what the Job no longer has', () => {
  const set = IndexSet.parse('0,3-9,12', 6);
  assert.equal(set.toString(), '0,3-5');
  assert.deepEqual([set.has(0), set.has(1), set.has(5), set.has(6)], [true, false, true, false]);
  assert.equal(set.countCommon(IndexSet.parse('0-4', 100)), 3);
  assert.equal(IndexSet.parse('x,,1', 2).toString(), '1');
});

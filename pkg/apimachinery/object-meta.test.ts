import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConditionLike, setCondition, splitKey } from './object-meta.ts';

test('a condition keeps its transition time while its status stays', () => {
  const first: readonly ConditionLike[] = setCondition<ConditionLike>(
    undefined,
    { type: 'Ready', status: 'False', reason: 'New' },
    't1',
  );
  assert.equal(JSON.stringify(first), '[{"type":"Ready","status":"False","reason":"New","lastTransitionTime":"t1"}]');
  assert.equal(setCondition(first, { type: 'Ready', status: 'False', reason: 'New' }, 't2'), first);
  const reason = setCondition(first, { type: 'Ready', status: 'False', reason: 'Old' }, 't2');
  assert.equal(reason[0]?.lastTransitionTime, 't1');
  assert.equal(setCondition(first, { type: 'Ready', status: 'True' }, 't2')[0]?.lastTransitionTime, 't2');
});

test('keys', () => {
  assert.deepEqual(splitKey('a/b'), { namespace: 'a', name: 'b' });
  assert.deepEqual(splitKey('b'), { namespace: '', name: 'b' });
});

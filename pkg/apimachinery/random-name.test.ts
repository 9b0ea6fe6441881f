import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatedFrom, generateName } from './random-name.ts';

test('a generated name tells what it was made from', () => {
  const long = 'x'.repeat(70);
  for (const base of ['web-', 'a', long]) {
    assert.equal(generatedFrom({ name: generateName(base), generateName: base }), base);
  }
  assert.equal(generatedFrom({ name: 'web', generateName: 'web-' }), 'web');
  assert.equal(generatedFrom({ name: 'web-abcde' }), 'web-abcde');
});

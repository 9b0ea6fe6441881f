import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warningHeaders } from './warnings.ts';

test('a warning stays one header, whatever a client had in its field names', () => {
  assert.deepEqual(warningHeaders(['unknown field "a\r\nx-evil: 1"', '']), [
    '299 - "unknown field \\"a  x-evil: 1\\""',
  ]);
  const [header = ''] = warningHeaders(['unknown field "größe€ \ud800"']);
  assert.match(header, /^[\x20-\x7e\x80-\xff]*$/);
  assert.equal(Buffer.from(header, 'latin1').toString('utf8'), '299 - "unknown field \\"größe€ \ufffd\\""');
});

test('warnings are told once, and cut when all together are too long for a header', () => {
  assert.equal(warningHeaders(['a', 'b', 'a']).length, 2);
  const many = warningHeaders(
    Array.from({ length: 5000 }, (_, index) => `unknown field "${'x'.repeat(1000)}${index}"`),
  );
  assert.equal(many.length, 1, 'cut to the same text is still sent once');
});

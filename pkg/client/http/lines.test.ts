import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSplitter } from './lines.ts';

function split(...chunks: (string | Buffer)[]): { lines: string[]; isInLine: boolean } {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), 1024 * 1024);
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  return { lines, isInLine: splitter.isInLine };
}

test('lines come whole, however they are cut', () => {
  assert.deepEqual(split('a\nb\n'), { lines: ['a', 'b'], isInLine: false });
  assert.deepEqual(split('a', 'b', '\n', '\n', 'c'), { lines: ['ab'], isInLine: true });
  assert.deepEqual(split('a\nb', 'c\nd\n'), { lines: ['a', 'bc', 'd'], isInLine: false });
  const text = Buffer.from('ä€😀\n');
  for (let at = 1; at < text.length; at++) {
    assert.deepEqual(split(text.subarray(0, at), text.subarray(at)).lines, ['ä€😀']);
  }
});

test('a long line in many pieces costs no more than its length, and there is a longest one', () => {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), 24 * 1024 * 1024);
  const piece = Buffer.alloc(1024, 'x');
  const began = performance.now();
  for (let count = 0; count < 16 * 1024; count++) splitter.push(piece);
  splitter.push(Buffer.from('\n'));
  assert.equal(lines[0]?.length, 16 * 1024 * 1024);
  assert.ok(performance.now() - began < 2000);
  assert.throws(() => split(Buffer.alloc(1024 * 1024 + 1, 'x')), RangeError);
});

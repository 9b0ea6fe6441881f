import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Exchange } from '../http/exchange.ts';
import { type WatchPiece, WatchWriter } from './watch-writer.ts';

/** A response whose client takes one piece at a time. */
class SlowResponse extends EventEmitter {
  readonly destroyed = false;
  readonly written: string[] = [];

  write(bytes: Buffer): boolean {
    this.written.push(bytes.toString());
    return false;
  }
}

function setUp(limit: number): {
  response: SlowResponse;
  writer: WatchWriter;
  write: (text: string) => void;
  encoded: string[];
  gaveUp: () => number;
} {
  const response = new SlowResponse();
  let count = 0;
  const writer = new WatchWriter(response as unknown as Exchange['response'], limit, () => count++);
  const encoded: string[] = [];
  const piece = (text: string): WatchPiece => ({
    size: text.length,
    encode() {
      encoded.push(text);
      return Buffer.from(text);
    },
  });
  return { response, writer, write: (text) => writer.write(piece(text)), encoded, gaveUp: () => count };
}

test('the beginning of a watch may be of any size, and is encoded at the pace of the client', () => {
  const { response, writer, write, encoded, gaveUp } = setUp(10);
  for (const text of ['a'.repeat(8), 'b'.repeat(8), 'c'.repeat(8)]) write(text);
  writer.startCounting();
  write('live');
  assert.equal(encoded.length, 1);
  for (let turn = 0; turn < 5; turn++) response.emit('drain');
  assert.deepEqual(response.written, ['a'.repeat(8), 'b'.repeat(8), 'c'.repeat(8), 'live']);
  assert.equal(gaveUp(), 0);
});

test('a client that falls behind is given up once, and what waited is dropped', () => {
  const { response, writer, write, gaveUp } = setUp(10);
  write('first');
  writer.startCounting();
  write('12345678');
  response.emit('drain');
  write('abcdefgh');
  assert.equal(gaveUp(), 0, 'what was sent is no longer counted');
  write('more');
  write('and more');
  assert.equal(gaveUp(), 1);
  response.emit('drain');
  assert.deepEqual(response.written, ['first', '12345678']);
});

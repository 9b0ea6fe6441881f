import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packGroup, type WaitingWrite, WriteQueue } from './write-queue.ts';

const write = (key: string, size: number): WaitingWrite => ({
  verb: 'create',
  key,
  value: new Uint8Array(size).fill(key.length),
  expect: 0,
  lazy: false,
  resolve: () => {},
  reject: () => {},
});

test('groups are taken in order, bounded by number and bytes, with at least one write', () => {
  const queue = new WriteQueue();
  for (let n = 0; n < 1500; n++) queue.add(write('/small', 1));
  for (let n = 0; n < 5; n++) queue.add(write('/large', 1_500_000));
  const sizes: number[] = [];
  while (queue.length > 0) sizes.push(queue.takeGroup().length);
  assert.deepEqual(sizes, [1000, 502, 2, 1]);
  assert.deepEqual(queue.takeGroup(), []);
});

test('what waits is bounded by bytes, and room comes back', () => {
  const queue = new WriteQueue();
  const fill = (): number => {
    for (let n = 0; ; n++) {
      try {
        queue.add(write('/x', 1_000_000));
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error && error.code === 'queue-full');
        return n;
      }
    }
  };
  assert.equal(fill(), 67);
  assert.equal(queue.takeGroup().length, 4);
  assert.equal(fill(), 4);
  assert.equal(queue.takeAll().length, 67);
  assert.equal(fill(), 67);
});

test('a packed group addresses every value', () => {
  const { ops, values } = packGroup([write('/a', 3), write('/bb', 0), write('/ccc', 2)]);
  assert.deepEqual(
    ops.map(({ key, offset, length }) => [key, ...values.subarray(offset, offset + length)]),
    [['/a', 2, 2, 2], ['/bb'], ['/ccc', 4, 4]],
  );
});

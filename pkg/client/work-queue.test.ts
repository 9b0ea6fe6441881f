import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { WorkQueue } from './work-queue.ts';

test('a key is worked on by one worker at a time and comes again when it was added meanwhile', async () => {
  const queue = new WorkQueue(new FakeClock());
  const abort = new AbortController();
  const seen: string[] = [];
  let release = (): void => {};
  const done = queue.run(
    4,
    async (key) => {
      seen.push(key);
      if (seen.length === 1) {
        queue.add('a');
        queue.add('a');
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
    },
    assert.fail,
    abort.signal,
  );
  queue.add('a');
  queue.add('b');
  await new Promise(setImmediate);
  assert.deepEqual(seen, ['a', 'b']);
  release();
  await new Promise(setImmediate);
  assert.deepEqual(seen, ['a', 'b', 'a']);
  abort.abort();
  await done;
});

test('a failing key comes back after 5, 10, 20 ms and so on until it succeeds', async () => {
  const clock = new FakeClock(0);
  const queue = new WorkQueue(clock);
  const abort = new AbortController();
  const at: number[] = [];
  const done = queue.run(
    1,
    async () => {
      at.push(clock.now());
      if (at.length < 4) throw new Error('not yet');
    },
    () => {},
    abort.signal,
  );
  queue.add('a');
  await clock.advance(1000);
  assert.deepEqual(at, [0, 5, 15, 35]);
  abort.abort();
  await done;
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './clock.ts';
import { MemoryTrimmer } from './memory-trimmer.ts';

const MB = 1024 * 1024;

test('garbage is collected in the first quiet moment after the heap has grown, and not again before it grows', async () => {
  const clock = new FakeClock();
  let held = 60 * MB;
  let busy = 1;
  let collections = 0;
  const heap = {
    held: () => held,
    busy: () => busy,
    collect() {
      collections++;
      held = 40 * MB;
    },
  };
  const trimmer = new MemoryTrimmer(heap, clock);
  await trimmer.start();
  await clock.advance(30_000);
  assert.equal(collections, 0, 'there is work to do');

  busy = 0.01;
  await clock.advance(10_000);
  assert.equal(collections, 1);
  await clock.advance(60_000);
  assert.equal(collections, 1, 'nothing has grown');

  held = 47 * MB;
  await clock.advance(10_000);
  assert.equal(collections, 1, 'not enough to be worth it');
  held = 49 * MB;
  await clock.advance(10_000);
  assert.equal(collections, 2);

  await trimmer.stop();
  held = 100 * MB;
  await clock.advance(60_000);
  assert.equal(collections, 2);
});

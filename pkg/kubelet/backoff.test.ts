import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { Backoff } from './backoff.ts';

test('crashes wait 0, 10, 20, 40, 80, 160, 300, 300 seconds', async () => {
  const clock = new FakeClock();
  const backoff = new Backoff(clock);
  const waited: number[] = [];
  for (let crash = 0; crash < 8; crash++) {
    const failedAt = clock.now();
    const wait = backoff.remaining('c', failedAt);
    waited.push(wait / 1000);
    await clock.advance(wait);
    assert.equal(backoff.remaining('c', failedAt), 0);
    backoff.next('c', failedAt);
    await clock.advance(1000);
  }
  assert.deepEqual(waited, [0, 10, 20, 40, 80, 160, 300, 300]);
});

test('ten good minutes forgive everything', async () => {
  const clock = new FakeClock();
  const backoff = new Backoff(clock);
  for (let crash = 0; crash < 3; crash++) backoff.next('c', clock.now());
  assert.equal(backoff.delay('c'), 40_000);
  await clock.advance(600_001);
  assert.equal(backoff.remaining('c', clock.now()), 0);
  backoff.next('c', clock.now());
  assert.equal(backoff.delay('c'), 10_000);
});

test('keys are apart and can be forgotten by prefix', () => {
  const backoff = new Backoff(new FakeClock());
  backoff.next('pod1/a', 0);
  backoff.next('pod2/a', 0);
  backoff.forgetPrefix('pod1/');
  assert.deepEqual([backoff.delay('pod1/a'), backoff.delay('pod2/a')], [0, 10_000]);
});

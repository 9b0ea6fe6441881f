import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, sleep } from './clock.ts';

test('FakeClock fires due timers in order, also those set by a timer', async () => {
  const clock = new FakeClock(1000);
  const fired: string[] = [];
  clock.setTimeout(() => fired.push(`b@${clock.now()}`), 20);
  clock.setTimeout(() => {
    fired.push(`a@${clock.now()}`);
    clock.setTimeout(() => fired.push(`c@${clock.now()}`), 5);
  }, 10);
  const cancel = clock.setTimeout(() => fired.push('cancelled'), 12);
  cancel();
  await clock.advance(30);
  assert.deepEqual(fired, ['a@1010', 'c@1015', 'b@1020']);
  assert.equal(clock.now(), 1030);
});

test('sleep ends when its signal aborts', async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const sleeping = sleep(clock, 60_000, abort.signal);
  abort.abort();
  await sleeping;
  assert.equal(abort.signal.aborted, true);
});

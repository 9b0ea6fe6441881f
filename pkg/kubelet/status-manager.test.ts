import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Pod } from '../api/generated/core-v1.ts';
import { FakeClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { StatusManager } from './status-manager.ts';
import { makePod } from './test-fixtures.ts';

/** An API with one Pod, whose answer to each patch the test lets go. */
function world() {
  let stored = makePod({ status: { phase: 'Pending' } });
  const answers: (() => void)[] = [];
  const bodies: unknown[] = [];
  const client = {
    get: () => Promise.resolve(stored),
    delete: () => Promise.resolve(undefined),
    patch: async (_type: unknown, _name: string, { body }: { body: { status: Pod['status'] } }) => {
      bodies.push(body.status);
      await new Promise<void>((resolve) => answers.push(resolve));
      const resourceVersion = String(Number(stored.metadata.resourceVersion) + 1);
      stored = makePod({ metadata: { resourceVersion }, status: { ...stored.status, ...body.status } });
      return stored;
    },
  } as unknown as Client;
  const statuses = new StatusManager({ client, clock: new FakeClock(), log: silentLogger });
  const stop = new AbortController();
  const running = statuses.run(stop.signal);
  const answer = async (): Promise<void> => {
    await turn();
    answers.shift()?.();
    await turn();
  };
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { statuses, bodies, answer, end, stored: () => stored };
}

test('a status that is taken back while it is being written is taken back in the API too', async () => {
  const { statuses, bodies, answer, end, stored } = world();
  const pod = stored();
  statuses.set(pod, { phase: 'Running' });
  await turn();
  statuses.set(pod, { phase: 'Pending' });
  await answer();
  await answer();
  assert.deepEqual(bodies, [{ phase: 'Running' }, { phase: 'Pending' }]);
  assert.equal(stored().status.phase, 'Pending');
  await end();
});

test('of the statuses wanted during a write only the last is written, and one that is stored is not', async () => {
  const { statuses, bodies, answer, end, stored } = world();
  const pod = stored();
  statuses.set(pod, { phase: 'Running' });
  await turn();
  statuses.set(pod, { phase: 'Failed' });
  statuses.set(pod, { phase: 'Succeeded' });
  await answer();
  await answer();
  statuses.set(pod, { phase: 'Succeeded' });
  await answer();
  assert.deepEqual(bodies, [{ phase: 'Running' }, { phase: 'Succeeded' }]);
  await end();
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes } from '../api/resources.ts';
import { type Cancel, FakeClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { MemoryClient } from '../client/testing/memory-client.ts';
import type { RuntimeService } from '../cri/services.ts';
import { NodeReporter } from './node-reporter.ts';

/** Tells how often somebody has gone to sleep. */
class CountingClock extends FakeClock {
  sleeps = 0;

  override setTimeout(fn: () => void, ms: number): Cancel {
    this.sleeps += 1;
    return super.setTimeout(fn, ms);
  }
}

test('a runtime that is started again costs the node nothing, one that stays away does', async (t) => {
  const clock = new CountingClock(0);
  const client = new MemoryClient(clock);
  const runtime = { isUp: true };
  const conditions = ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true }));
  const service = {
    version: async () => ({ runtimeName: 'containerd', runtimeVersion: 'v2.0.0' }),
    status: async () => {
      if (!runtime.isUp) throw new Error('connection refused');
      return { status: { conditions } };
    },
  } as unknown as RuntimeService;
  const ending = new AbortController();
  t.after(() => ending.abort());
  const reporter = new NodeReporter({
    client,
    runtime: service,
    clock,
    log: silentLogger,
    identity: { name: 'n', ips: ['10.0.0.1'], labels: {}, taints: [], maxPods: 110, port: 10250, version: 'v1.36.0' },
    storagePath: '/',
    onNetworkChange: () => {},
  });
  await reporter.inspect();
  reporter.start(ending.signal);
  await reporter.ready();
  const asleep = async (sleeps: number): Promise<void> => {
    while (clock.sleeps < sleeps) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await asleep(1);
  /** Lets ten seconds pass, after which the runtime is looked at again. */
  const look = async (): Promise<string> => {
    const { sleeps } = clock;
    await clock.advance(10_000);
    await asleep(sleeps + 1);
    const [node] = client.objects(nodes);
    const ready = node?.status.conditions?.find(({ type }) => type === 'Ready');
    return `${ready?.status} ${ready?.message}`;
  };
  assert.match(await look(), /^True/);
  runtime.isUp = false;
  assert.match(await look(), /^True/);
  assert.match(await look(), /^True/);
  runtime.isUp = true;
  assert.match(await look(), /^True/);
  runtime.isUp = false;
  for (let looks = 0; looks < 2; looks++) assert.match(await look(), /^True/);
  assert.match(await look(), /^False .*container runtime is down: connection refused/);
});

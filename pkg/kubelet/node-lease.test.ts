import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leases, nodes } from '../api/resources.ts';
import { FakeClock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { MemoryClient } from '../client/testing/memory-client.ts';
import { keepNodeLease } from './node-lease.ts';

test('a node that is not heard of tells so once, and when it is heard of again', async (t) => {
  const clock = new FakeClock(0);
  const client = new MemoryClient(clock);
  const lines: string[] = [];
  const log = createLogger({ level: 'info', write: (line) => lines.push(line), now: () => new Date(clock.now()) });
  const ending = new AbortController();
  t.after(() => ending.abort());
  await client.create(nodes, { metadata: { name: 'n' } });
  void keepNodeLease({ client, clock, log, nodeName: 'n' }, ending.signal);
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(1000);
    }
  };
  await pass(15);
  assert.equal(client.objects(leases).length, 1);

  await client.delete(nodes, 'n');
  await client.delete(leases, 'n', { namespace: 'kube-node-lease' });
  await pass(10);
  assert.deepEqual(lines, []);
  await pass(30);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /level=warn msg="the cluster does not hear of this node .*" node=n error=".*not found/);

  await client.create(nodes, { metadata: { name: 'n' } });
  await pass(5);
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', /level=info msg="the cluster hears of this node again" node=n/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leases } from '../api/resources.ts';
import { FakeClock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { silentLogger } from '../base/log.ts';
import { LeaderElection } from './leader-election.ts';
import { MemoryClient } from './testing/memory-client.ts';

/** Notes what starts and stops. */
function work(name: string, notes: string[]): () => Component {
  return () => ({
    name,
    start: async () => void notes.push(`+${name}`),
    ready: async () => {},
    stop: async () => void notes.push(`-${name}`),
  });
}

/** A client whose writes can be made to fail. */
class FailingClient extends MemoryClient {
  fails = false;

  override update: MemoryClient['update'] = (...args) =>
    this.fails ? Promise.reject(new Error('away')) : super.update(...args);
}

function candidate(client: MemoryClient, clock: FakeClock, identity: string, notes: string[]): LeaderElection {
  return new LeaderElection({ client, clock, log: silentLogger, lease: 'x', identity, lead: work(identity, notes) });
}

test('one of two leads; when it stops the other takes over at its next try', async () => {
  const clock = new FakeClock();
  const client = new MemoryClient(clock);
  const notes: string[] = [];
  const [a, b] = [candidate(client, clock, 'a', notes), candidate(client, clock, 'b', notes)];
  await a.start();
  await clock.advance(1);
  await b.start();
  await clock.advance(60_000);
  assert.deepEqual(notes, ['+a']);
  await Promise.all([a.ready(), b.ready()]);
  assert.equal(b.holder, 'a');
  await a.stop();
  assert.deepEqual(notes, ['+a', '-a']);
  assert.equal((await client.get(leases, 'x', 'kube-system')).spec?.holderIdentity, '');
  await clock.advance(2_000);
  assert.deepEqual(notes, ['+a', '-a', '+b']);
  const { spec } = await client.get(leases, 'x', 'kube-system');
  assert.deepEqual([spec?.holderIdentity, spec?.leaseTransitions, spec?.leaseDurationSeconds], ['b', 1, 15]);
  await b.stop();
});

test('a leader that cannot renew stops before another one begins', async () => {
  const clock = new FakeClock();
  const failing = new FailingClient(clock);
  const notes: string[] = [];
  const a = candidate(failing, clock, 'a', notes);
  await a.start();
  await clock.advance(5_000);
  failing.fails = true;
  await clock.advance(8_000);
  assert.deepEqual(notes, ['+a']);
  await clock.advance(4_000);
  assert.deepEqual(notes, ['+a', '-a']);
  failing.fails = false;
  await clock.advance(3_000);
  assert.deepEqual(notes, ['+a', '-a', '+a']);
  await a.stop();
});

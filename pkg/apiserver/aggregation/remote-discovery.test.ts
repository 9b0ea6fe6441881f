import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { APIService } from '../../api/generated/apiregistration-v1.ts';
import type { APIResource } from '../../api/generated/meta-v1.ts';
import { FakeClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { RemoteDiscovery } from './remote-discovery.ts';

const service = {
  metadata: { name: 'v1.far.example' },
  spec: { group: 'far.example', version: 'v1', groupPriorityMinimum: 100, versionPriority: 10, service: {} },
} as APIService;
const things = [{ name: 'things' }] as APIResource[];

test('what other servers have is asked for once in a while, and not when they cannot be asked', async () => {
  const clock = new FakeClock();
  let asked = 0;
  let isAvailable = true;
  let answer: () => Promise<readonly APIResource[]> = async () => things;
  const remote = new RemoteDiscovery({
    services: () => [service],
    isAvailable: () => isAvailable,
    fetch: () => {
      asked++;
      return answer();
    },
    clock,
    log: silentLogger,
  });
  const seen = async (): Promise<[unknown, number]> => [(await remote.resources())[0]?.resources, asked];
  assert.deepEqual(await Promise.all([seen(), seen()]), [
    [things, 1],
    [things, 1],
  ]);
  assert.deepEqual(await seen(), [things, 1]);
  await clock.advance(61_000);
  answer = () => Promise.reject(new Error('gone'));
  assert.deepEqual(await seen(), [undefined, 2]);
  assert.deepEqual(await seen(), [undefined, 2], 'that it failed holds for a while');
  await clock.advance(11_000);
  answer = async () => things;
  assert.deepEqual(await seen(), [things, 3]);
  isAvailable = false;
  assert.deepEqual(await seen(), [undefined, 3]);
  assert.deepEqual(remote.versions(), [
    { group: 'far.example', version: 'v1', groupPriority: 100, versionPriority: 10 },
  ]);
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { JobStatus } from '../../api/generated/batch-v1.ts';
import { jobs, pods } from '../../api/resources.ts';
import { createWorld, endPods, job, makeReady, type World } from '../testing/harness.ts';
import { createTTLAfterFinishedController } from '../ttl-after-finished.ts';
import { createJobController } from './job.ts';
import { COMPLETION_INDEX, TRACKING_FINALIZER } from './job-facts.ts';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createJobController(world));
  await world.run(createTTLAfterFinishedController(world));
});
afterEach(() => world.stop());

const status = async (): Promise<JobStatus> => (await world.client.get(jobs, 'j', 'n')).status;
const reasons = async (): Promise<string[]> =>
  ((await status()).conditions ?? []).map((condition) => `${condition.type} ${condition.status} ${condition.reason}`);

test('runs to completion', async () => {
  await world.client.create(jobs, job({ completions: 3, parallelism: 2 }));
  await world.settle();
  assert.equal(world.client.objects(pods).length, 2);
  assert.deepEqual(world.client.objects(pods)[0]?.metadata.finalizers, [TRACKING_FINALIZER]);
  await makeReady(world);
  const { startTime, ...running } = await status();
  assert.ok(startTime);
  assert.deepEqual(running, { active: 2, ready: 2, terminating: 0, uncountedTerminatedPods: {} });
  await endPods(world, 0);
  assert.equal((await status()).succeeded, 2);
  await endPods(world, 0);
  const done = await status();
  assert.equal(done.succeeded, 3);
  assert.equal(done.active, undefined);
  assert.ok(done.completionTime);
  assert.deepEqual(await reasons(), ['SuccessCriteriaMet True CompletionsReached', 'Complete True CompletionsReached']);
  assert.ok(world.client.objects(pods).every(({ metadata }) => (metadata.finalizers ?? []).length === 0));
  assert.ok(world.events.includes('Completed: Job completed'));
});

test('replaces a failed Pod after a while, and gives up in the end', async () => {
  await world.client.create(jobs, job({ backoffLimit: 1 }));
  await world.settle();
  await endPods(world, 1);
  assert.equal(world.client.objects(pods).length, 1);
  await world.clock.advance(10_000);
  assert.equal(world.client.objects(pods).length, 2);
  await endPods(world, 1);
  assert.equal((await status()).failed, 2);
  assert.deepEqual(await reasons(), ['FailureTarget True BackoffLimitExceeded', 'Failed True BackoffLimitExceeded']);
  assert.ok(world.events.includes('BackoffLimitExceeded: Job has reached the specified backoff limit'));
});

test('indexes', async () => {
  await world.client.create(jobs, job({ completionMode: 'Indexed', completions: 3, parallelism: 2 }));
  await world.settle();
  const [first] = world.client.objects(pods);
  assert.match(first?.metadata.name ?? '', /^j-0-\w{5}$/);
  assert.equal(first?.spec.hostname, 'j-0');
  assert.equal(first?.spec.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX');
  await endPods(world, 0, (pod) => pod === first);
  assert.equal((await status()).completedIndexes, '0');
  const indexes = world.client.objects(pods).map(({ metadata }) => metadata.labels?.[COMPLETION_INDEX]);
  assert.deepEqual(indexes.sort(), ['0', '1', '2']);
  await endPods(world, 0);
  assert.equal((await status()).completedIndexes, '0-2');
});

test('suspend and resume', async () => {
  await world.client.create(jobs, job());
  await world.settle();
  const suspend = (value: boolean) =>
    world.client.patch(jobs, 'j', { type: 'merge', body: { spec: { suspend: value } } }, { namespace: 'n' });
  await suspend(true);
  await world.settle();
  assert.deepEqual(world.client.objects(pods), []);
  assert.deepEqual(await reasons(), ['Suspended True JobSuspended']);
  assert.equal((await status()).failed, undefined, 'what was suspended has not failed');
  await suspend(false);
  await world.settle();
  assert.equal(world.client.objects(pods).length, 1);
  assert.deepEqual(await reasons(), ['Suspended False JobResumed']);
  assert.deepEqual(
    world.events.filter((event) => /^(Suspended|Resumed)/.test(event)),
    ['Suspended: Job suspended', 'Resumed: Job resumed'],
  );
});

test('the deadline ends it', async () => {
  await world.client.create(jobs, job({ activeDeadlineSeconds: 30 }));
  await world.settle();
  await makeReady(world);
  await world.clock.advance(30_000);
  await world.settle();
  assert.deepEqual(await reasons(), ['FailureTarget True DeadlineExceeded', 'Failed True DeadlineExceeded']);
  assert.deepEqual(world.client.objects(pods), []);
  assert.equal((await status()).failed, 1);
});

test('a Pod deleted while it runs is replaced; its result is not lost', async () => {
  await world.client.create(jobs, job());
  await world.settle();
  const [pod] = world.client.objects(pods);
  await world.client.delete(pods, pod?.metadata.name ?? '', { namespace: 'n' });
  await world.settle();
  assert.equal((await status()).failed, 1);
  assert.deepEqual(world.client.objects(pods), []);
  await world.clock.advance(10_000);
  assert.equal(world.client.objects(pods).length, 1);
});

test('a deleted Job lets its Pods go', async () => {
  await world.client.create(jobs, job());
  await world.settle();
  await world.client.delete(jobs, 'j', { namespace: 'n' });
  await world.settle();
  assert.deepEqual(world.client.objects(pods)[0]?.metadata.finalizers, []);
});

test('a finished Job goes after its time', async () => {
  await world.client.create(jobs, job({ ttlSecondsAfterFinished: 60 }));
  await world.settle();
  await endPods(world, 0);
  await world.clock.advance(50_000);
  assert.equal(world.client.objects(jobs)[0]?.metadata.deletionTimestamp, undefined);
  await world.clock.advance(15_000);
  assert.ok(world.client.objects(jobs)[0]?.metadata.deletionTimestamp, 'in the foreground: its Pods go first');
});

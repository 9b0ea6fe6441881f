import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob, CronJobSpec, Job } from '../../api/generated/batch-v1.ts';
import { cronJobs, jobs } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { createWorld } from '../testing/harness.ts';
import { createCronJobController } from './cronjob.ts';
import { planCronJob } from './plan.ts';

const NOW = Date.parse('2026-01-01T12:00:30Z');
const at = (minutes: number): string => formatTime(NOW + minutes * 60_000);

function cronJob(spec: Partial<Input<CronJobSpec>> = {}, status: Partial<CronJob['status']> = {}): CronJob {
  return {
    metadata: { name: 'tick', namespace: 'n', uid: 'tick', creationTimestamp: at(-10) },
    spec: { schedule: '*/5 * * * *', timeZone: 'UTC', concurrencyPolicy: 'Allow', jobTemplate: { spec: {} }, ...spec },
    status: { lastScheduleTime: '2026-01-01T11:55:00Z', ...status },
  } as unknown as CronJob;
}

function jobOf(name: string, finished?: 'Complete' | 'Failed', minute = -3): Job {
  const conditions = finished && [{ type: finished, status: 'True', lastTransitionTime: at(minute) }];
  return {
    metadata: { name, namespace: 'n', uid: name },
    status: { startTime: at(minute - 1), conditions, ...(finished === 'Complete' && { completionTime: at(minute) }) },
  } as unknown as Job;
}
const active = (name: string): { name: string; uid: string } => ({ name, uid: name });

interface Case {
  name: string;
  spec?: Partial<Input<CronJobSpec>>;
  status?: Partial<CronJob['status']>;
  jobs?: Job[];
  start?: string;
  forget?: string[];
  replace?: string[];
  events?: string[];
  again?: number;
  outcome?: object;
}
const NEXT = 4.5 * 60_000 + 100;

const cases: Case[] = [
  { name: 'due', start: '12:00', again: NEXT },
  { name: 'served already', status: { lastScheduleTime: '2026-01-01T12:00:00Z' }, again: NEXT },
  {
    name: 'the first time comes after the creation',
    status: { lastScheduleTime: undefined },
    start: '12:00',
    again: NEXT,
  },
  { name: 'suspended', spec: { suspend: true } },
  { name: 'only the last of missed times', status: { lastScheduleTime: at(-60) }, start: '12:00', again: NEXT },
  {
    name: 'very many missed',
    status: { lastScheduleTime: at(-60 * 24) },
    start: '12:00',
    again: NEXT,
    events: ['TooManyMissedTimes'],
  },
  { name: 'too late', spec: { startingDeadlineSeconds: 20 }, again: NEXT },
  {
    name: 'irregular',
    spec: { schedule: '0 9,10 * * *' },
    status: { lastScheduleTime: at(-300) },
    start: '10:00',
    again: 75570100,
  },
  {
    name: 'Forbid',
    spec: { concurrencyPolicy: 'Forbid' },
    status: { active: [active('a')] },
    jobs: [jobOf('a')],
    events: ['JobAlreadyActive'],
    again: NEXT,
    outcome: { active: [active('a')] },
  },
  {
    name: 'Replace',
    spec: { concurrencyPolicy: 'Replace' },
    status: { active: [active('a')] },
    jobs: [jobOf('a')],
    replace: ['a'],
    start: '12:00',
    again: NEXT,
  },
  {
    name: 'a Job has ended',
    spec: { suspend: true },
    status: { active: [active('a'), active('b')] },
    jobs: [jobOf('a', 'Complete')],
    events: ['SawCompletedJob', 'MissingJob'],
    outcome: { lastSuccessfulTime: at(-3) },
  },
  {
    name: 'history',
    spec: { suspend: true, successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 },
    jobs: [jobOf('c', 'Complete', -3), jobOf('b', 'Complete', -2), jobOf('a', 'Complete', -4), jobOf('f', 'Failed')],
    forget: ['a', 'c', 'f'],
    outcome: { lastSuccessfulTime: at(-2) },
  },
  { name: 'a stranger', spec: { suspend: true }, jobs: [jobOf('x')], events: ['UnexpectedJob'] },
  { name: 'no schedule', spec: { schedule: 'x' }, events: ['UnparseableSchedule'] },
  { name: 'no time zone', spec: { timeZone: 'Mars/Base' }, events: ['UnknownTimeZone'] },
];

for (const {
  name,
  spec,
  status,
  jobs: owned = [],
  start,
  forget = [],
  replace = [],
  events = [],
  again,
  outcome,
} of cases) {
  test(`plan: ${name}`, () => {
    const plan = planCronJob(cronJob(spec, status), owned, NOW);
    assert.equal(plan.start && new Date(plan.start).toISOString().slice(11, 16), start);
    assert.deepEqual(
      plan.forget.map(({ metadata }) => metadata.name),
      forget,
    );
    assert.deepEqual(
      plan.replace.map(({ metadata }) => metadata.name),
      replace,
    );
    assert.deepEqual(
      plan.events.map(({ reason }) => reason),
      events,
    );
    assert.equal(plan.again, again);
    if (outcome !== undefined) assert.deepEqual(plan.status, { lastScheduleTime: '2026-01-01T11:55:00Z', ...outcome });
  });
}

test('starts a Job each time, and keeps its books', async () => {
  const world = createWorld();
  await world.run(createCronJobController(world));
  const { metadata: _, status: __, ...rest } = cronJob({ schedule: '*/5 * * * *', timeZone: 'Europe/Berlin' });
  await world.client.create(cronJobs, { ...rest, metadata: { name: 'tick', namespace: 'n' } } as Input<CronJob>);
  await world.clock.advance(299_000);
  assert.deepEqual(world.client.objects(jobs), []);
  await world.clock.advance(1_500);
  const [job] = world.client.objects(jobs);
  const name = `tick-${Date.parse('2026-01-01T00:05:00Z') / 60_000}`;
  assert.equal(job?.metadata.name, name);
  const scheduled = '2026-01-01T01:05:00+01:00';
  assert.equal(job?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'], scheduled);
  await world.clock.advance(300_000);
  assert.equal(world.client.objects(jobs).length, 2);
  const { status } = await world.client.get(cronJobs, 'tick', 'n');
  const names = world.client.objects(jobs).map(({ metadata }) => metadata.name);
  assert.deepEqual(
    status.active?.map((reference) => reference.name),
    names,
  );
  assert.equal(status.lastScheduleTime, '2026-01-01T00:10:00Z');
  assert.deepEqual(world.events, [
    `SuccessfulCreate: Created job ${name}`,
    `SuccessfulCreate: Created job ${names[1]}`,
  ]);
  await world.stop();
});

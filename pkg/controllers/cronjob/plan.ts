/** What a CronJob calls for next: pure, from what is seen to what should be done. Mirrors upstream's syncCronJob. */
import type { CronJob, CronJobStatus, Job } from '../../api/generated/batch-v1.ts';
import { type CronSchedule, isTimeZone, parseCronSchedule } from '../../apimachinery/cron-schedule.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { isBeingDeleted, isConditionTrue } from '../../apimachinery/object-meta.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';
import { errorText } from '../../base/log.ts';
import { finishedCondition, isJobFinished } from '../job/job-facts.ts';
import { jobName } from './job-of.ts';
import { dueTime, untilNext } from './schedule.ts';

export interface CronEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface CronJobPlan {
  /** The status before anything of this plan is done. */
  readonly status: CronJobStatus;
  readonly events: readonly CronEvent[];
  /** History beyond its limits. */
  readonly forget: readonly Job[];
  /** Running Jobs to be stopped before the new one starts (Replace). */
  readonly replace: readonly Job[];
  /** The time for which a Job is to be started now, in milliseconds. */
  readonly start: number | undefined;
  /** Milliseconds until the next time. */
  readonly again: number | undefined;
}

/** The plan for `cronJob`, whose Jobs are `jobs`, at `now` (milliseconds). */
export function planCronJob(cronJob: CronJob, jobs: readonly Job[], now: number): CronJobPlan {
  const events: CronEvent[] = [];
  const tell = (type: CronEvent['type'], reason: string, message: string): void => {
    events.push({ type, reason, message });
  };
  const forget = beyondLimits(cronJob, jobs);
  const status = seenStatus(cronJob, jobs, new Set(forget), tell);
  const rest: CronJobPlan = { status, events, forget, replace: [], start: undefined, again: undefined };
  const schedule = scheduleOf(cronJob, tell);
  if (schedule === undefined) return rest;
  const { time, missedMany } = dueTime(cronJob, schedule, now);
  if (missedMany) {
    const message = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
    tell('Warning', 'TooManyMissedTimes', message);
  }
  const again = untilNext(cronJob, schedule, now);
  const waiting = { ...rest, again };
  if (time === undefined) return waiting;
  const { startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec;
  if (startingDeadlineSeconds !== undefined && time + startingDeadlineSeconds * 1000 < now) {
    tell('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(time)}`);
    return waiting;
  }
  const running = status.active ?? [];
  if (running.some(({ name }) => name === jobName(cronJob, time))) return waiting;
  if (parseTime(status.lastScheduleTime) === time) return waiting;
  if (concurrencyPolicy === 'Forbid' && running.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    tell('Normal', 'JobAlreadyActive', message);
    return waiting;
  }
  const uids = new Set(running.map(({ uid }) => uid));
  const replace = concurrencyPolicy === 'Replace' ? jobs.filter(({ metadata }) => uids.has(metadata.uid)) : [];
  return { ...waiting, replace, start: time };
}

/** The status as the Jobs there are make it: which of them are active, and the last success. */
function seenStatus(
  { metadata, status }: CronJob,
  jobs: readonly Job[],
  forgotten: ReadonlySet<Job>,
  tell: (type: CronEvent['type'], reason: string, message: string) => void,
): CronJobStatus {
  const byUid = new Map(jobs.map((job) => [job.metadata.uid, job]));
  const active = (status.active ?? []).filter(({ uid, name }) => {
    const job = byUid.get(uid ?? '');
    if (job === undefined) tell('Normal', 'MissingJob', `Active job went missing: ${name}`);
    else if (isJobFinished(job)) {
      if (!forgotten.has(job)) {
        const condition = finishedCondition(job)?.type;
        tell('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${condition}`);
      }
    } else return true;
    return false;
  });
  const known = new Set(active.map(({ uid }) => uid));
  for (const job of jobs) {
    if (known.has(job.metadata.uid) || isJobFinished(job) || isBeingDeleted({ metadata })) continue;
    const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name}`;
    tell('Warning', 'UnexpectedJob', message);
  }
  const successes = jobs
    .filter((job) => isConditionTrue(job.status?.conditions, 'Complete'))
    .map((job) => parseTime(job.status.completionTime))
    .filter((time) => time !== undefined);
  const last = Math.max(parseTime(status.lastSuccessfulTime) ?? 0, ...successes);
  return {
    ...(active.length > 0 && { active }),
    ...(status.lastScheduleTime !== undefined && { lastScheduleTime: status.lastScheduleTime }),
    ...(last > 0 && { lastSuccessfulTime: formatTime(last) }),
  };
}

/** The finished Jobs that the history limits leave no room for, oldest first. */
function beyondLimits({ spec }: CronJob, jobs: readonly Job[]): Job[] {
  const oldest = (type: 'Complete' | 'Failed', limit: number | undefined): Job[] => {
    const finished = jobs.filter((job) => finishedCondition(job)?.type === type && !isBeingDeleted(job));
    if (limit === undefined) return [];
    return finished.sort(byStart).slice(0, Math.max(0, finished.length - limit));
  };
  return [...oldest('Complete', spec.successfulJobsHistoryLimit), ...oldest('Failed', spec.failedJobsHistoryLimit)];
}

/** Earlier first; Jobs that never started come last. */
function byStart(a: Job, b: Job): number {
  const start = (job: Job): number => parseTime(job.status.startTime) ?? Number.MAX_SAFE_INTEGER;
  return start(a) - start(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** The schedule to follow; undefined, with an event if it cannot be understood, when none is. */
function scheduleOf(
  cronJob: CronJob,
  tell: (type: CronEvent['type'], reason: string, message: string) => void,
): CronSchedule | undefined {
  const { timeZone, suspend, schedule } = cronJob.spec;
  if (isBeingDeleted(cronJob)) return undefined;
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    tell('Warning', 'UnknownTimeZone', `invalid timeZone: ${goQuote(timeZone)}: unknown time zone ${timeZone}`);
    return undefined;
  }
  if (suspend) return undefined;
  try {
    return parseCronSchedule(schedule, timeZone);
  } catch (error) {
    tell('Warning', 'UnparseableSchedule', `unparseable schedule: ${goQuote(schedule)} : ${errorText(error)}`);
    return undefined;
  }
}

/** `Mon, 02 Jan 2006 15:04:05 +0000` */
const rfc1123 = (ms: number): string => new Date(ms).toUTCString().replace('GMT', '+0000');

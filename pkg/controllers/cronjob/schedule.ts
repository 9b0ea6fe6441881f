/** Which of a CronJob's times is due, and when the next one comes. */
import type { CronJob } from '../../api/generated/batch-v1.ts';
import type { CronSchedule } from '../../apimachinery/cron-schedule.ts';
import { parseTime } from '../../apimachinery/time.ts';

/** As many missed times are worth a warning: the clock may be wrong, or the controller was away for long. */
const MANY = 100;
/** Waking a little late is better than a little early. */
const LATE_MS = 100;

export interface Due {
  /** The most recent time that has come and was not served, in milliseconds. */
  readonly time: number | undefined;
  readonly missedMany: boolean;
}

/** What is due at `now`. Times before the last one served, or older than startingDeadlineSeconds, do not count. */
export function dueTime(cronJob: CronJob, schedule: CronSchedule, now: number): Due {
  const deadline = cronJob.spec.startingDeadlineSeconds;
  const served = servedUntil(cronJob);
  return mostRecent(schedule, deadline === undefined ? served : Math.max(served, now - deadline * 1000), now);
}

/** Milliseconds from `now` until the next time; undefined when there is none. */
export function untilNext(cronJob: CronJob, schedule: CronSchedule, now: number): number | undefined {
  const served = servedUntil(cronJob);
  const next = schedule.next(mostRecent(schedule, served, now).time ?? served);
  return next === undefined ? undefined : Math.max(0, next - now) + LATE_MS;
}

function servedUntil({ metadata, status }: CronJob): number {
  return parseTime(status.lastScheduleTime) ?? parseTime(metadata.creationTimestamp) ?? 0;
}

function mostRecent(schedule: CronSchedule, after: number, now: number): Due {
  const first = schedule.next(after);
  if (first === undefined || first > now) return { time: undefined, missedMany: false };
  const second = schedule.next(first);
  if (second === undefined || second > now) return { time: first, missedMany: false };
  // Not every missed time is walked through: the distance of the first two tells about where the last one is. Where
  // distances vary, that may be too far ahead, and the search begins at the first.
  const missed = Math.floor((now - first) / (second - first)) + 1;
  let time = first;
  for (const from of [first + (missed - 2) * (second - first), first]) {
    let steps = 0;
    for (let next = schedule.next(from); next !== undefined && next <= now; next = schedule.next(next)) {
      time = next;
      if (++steps > 10 * MANY) break;
    }
    if (time !== first) break;
  }
  return { time, missedMany: missed > MANY };
}

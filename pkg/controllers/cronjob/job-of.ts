/** The Jobs a CronJob makes. */
import type { CronJob, Job } from '../../api/generated/batch-v1.ts';
import { cronJobs } from '../../api/resources.ts';
import { apiVersionOf, type Input } from '../../api/types.ts';
import { controllerReference } from '../../apimachinery/object-meta.ts';

const SCHEDULED = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

/** The name of the Job for `time`: one minute, one name, so that no time is served twice. */
export function jobName({ metadata }: CronJob, time: number): string {
  return `${metadata.name}-${Math.floor(time / 60_000)}`;
}

/** The Job that `cronJob` starts for `time` (milliseconds). */
export function jobOf(cronJob: CronJob, time: number): Input<Job> {
  const { jobTemplate, timeZone } = cronJob.spec;
  const { labels, annotations } = jobTemplate.metadata ?? {};
  return {
    metadata: {
      name: jobName(cronJob, time),
      namespace: cronJob.metadata.namespace,
      ...(labels && { labels }),
      annotations: { ...annotations, [SCHEDULED]: timeIn(timeZone, time) },
      ownerReferences: [controllerReference(cronJob, { apiVersion: apiVersionOf(cronJobs), kind: cronJobs.kind })],
    },
    spec: jobTemplate.spec,
  };
}

/** RFC 3339 with the zone's offset; UTC without a zone. */
function timeIn(timeZone: string | undefined, time: number): string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timeZone || 'UTC',
    timeZoneName: 'longOffset',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const part = new Map(format.formatToParts(time).map(({ type, value }) => [type as string, value]));
  const of = (type: string): string => part.get(type) ?? '';
  const offset = of('timeZoneName').replace('GMT', '') || 'Z';
  return `${of('year')}-${of('month')}-${of('day')}T${of('hour')}:${of('minute')}:${of('second')}${offset}`;
}

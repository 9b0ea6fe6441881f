import type { CronJob } from '../../api/generated/batch-v1.ts';
import { cronJobs } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { formatLabelSelector } from '../../apimachinery/labels.ts';
import { ageColumn, ageOf, containerColumns, nameColumn } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { podNameWarning } from '../core/pod-warnings.ts';
import { type Column, describe } from '../descriptor.ts';
import { jobSpecWarnings } from './job.ts';
import { validateCronJobUpdate, validateNewCronJob } from './validation/cron-job.ts';

const column = (
  name: string,
  type: Column['type'],
  doc: readonly [string, string],
  cell: Column<CronJob>['cell'],
): Column<CronJob> => ({ name, type, doc, cell });

const SPEC = 'batch.v1.CronJobSpec';
const STATUS = 'batch.v1.CronJobStatus';

export const cronJob = describe<CronJob>(cronJobs, {
  shortNames: ['cj'],
  categories: ['all'],
  *warnings({ metadata, spec }, old) {
    if (old === undefined) yield* podNameWarning(metadata.name);
    if (metadata.generation !== old?.metadata.generation) {
      yield* jobSpecWarnings(spec.jobTemplate.spec, FieldPath.of('spec', 'jobTemplate', 'spec'));
    }
    if (old !== undefined && spec.schedule.includes('TZ')) {
      yield 'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';
    }
  },
  validateCreate: validateNewCronJob,
  validateUpdate: validateCronJobUpdate,
  columns: [
    nameColumn,
    column('Schedule', 'string', [SPEC, 'schedule'], ({ spec }) => spec.schedule),
    column('Timezone', 'string', [SPEC, 'timeZone'], ({ spec }) => spec.timeZone ?? '<none>'),
    column('Suspend', 'boolean', [SPEC, 'suspend'], ({ spec }) =>
      spec.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False',
    ),
    column('Active', 'integer', [STATUS, 'active'], ({ status }) => (status?.active ?? []).length),
    column('Last Schedule', 'string', [STATUS, 'lastScheduleTime'], ({ status }, now) =>
      status?.lastScheduleTime ? ageOf(status.lastScheduleTime, now) : '<none>',
    ),
    ageColumn,
    ...containerColumns<CronJob>(({ spec }) => spec.jobTemplate.spec?.template.spec?.containers),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description:
        'A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors',
      cell: ({ spec }) => formatLabelSelector(spec.jobTemplate.spec?.selector),
    },
  ],
  defaults({ spec }) {
    spec.concurrencyPolicy ||= 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    const template = spec.jobTemplate?.spec?.template?.spec;
    if (template !== undefined) defaultPodSpec(template);
  },
});

import type { CronJob } from '../../../api/generated/batch-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { isTimeZone } from '../../../apimachinery/cron-schedule.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, nonNegative, oneOf } from '../../validation/rules.ts';
import { validateJobSpec } from './job.ts';
import { scheduleError } from './schedule.ts';

const SPEC = FieldPath.of('spec');
/** The Jobs' names are made of it, and theirs may have 63. */
const MAX_NAME = 52;

/** Upstream's ValidateCronJobCreate and ValidateCronJobSpec. */
export function* validateCronJob({ metadata, spec }: CronJob): Findings {
  if (metadata.name.length > MAX_NAME) {
    yield fieldError.invalid('metadata.name', metadata.name, `must be no more than ${MAX_NAME} characters`);
  }
  yield* validateSchedule(spec.schedule, SPEC.child('schedule'));
  yield* nonNegative(SPEC.child('startingDeadlineSeconds'), spec.startingDeadlineSeconds);
  if (spec.timeZone !== undefined) yield* validateTimeZone(spec.timeZone, SPEC.child('timeZone'));
  yield* oneOf(SPEC.child('concurrencyPolicy'), spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
  const template = SPEC.child('jobTemplate', 'spec');
  const jobSpec = spec.jobTemplate.spec;
  if (jobSpec?.template === undefined) {
    yield fieldError.required(template.child('template'));
  } else {
    yield* validateJobSpec(jobSpec, template);
    if (jobSpec.selector !== undefined) {
      yield fieldError.invalid(
        template.child('selector'),
        jobSpec.selector as Json,
        '`selector` will be auto-generated',
      );
    }
    if (jobSpec.manualSelector === true) {
      yield fieldError.notSupported(template.child('manualSelector'), true, ['nil', 'false']);
    }
  }
  yield* nonNegative(SPEC.child('successfulJobsHistoryLimit'), spec.successfulJobsHistoryLimit);
  yield* nonNegative(SPEC.child('failedJobsHistoryLimit'), spec.failedJobsHistoryLimit);
}

function* validateSchedule(schedule: string, path: FieldPath): Findings {
  if (!schedule) return yield fieldError.required(path);
  const wrong = scheduleError(schedule);
  if (wrong !== undefined) yield fieldError.invalid(path, schedule, wrong);
  if (schedule.includes('TZ')) {
    yield fieldError.invalid(path, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
  }
}

function* validateTimeZone(zone: string, path: FieldPath): Findings {
  if (zone === '') return yield fieldError.invalid(path, zone, 'timeZone must be nil or non-empty string');
  if (zone.toLowerCase() === 'local') {
    const text = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    return yield fieldError.invalid(path, zone, text);
  }
  if (!isTimeZone(zone)) yield fieldError.invalid(path, zone, `unknown time zone ${zone}`);
}

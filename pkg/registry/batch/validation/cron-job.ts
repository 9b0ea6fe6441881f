import type { CronJob, CronJobSpec, JobSpec } from '../../../api/generated/batch-v1.ts';
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
const ZONE_PART = /^[A-Za-z.\-_0-9+]{1,14}$/;

/** Upstream's ValidateCronJobCreate. */
export function* validateNewCronJob({ metadata, spec }: CronJob): Findings {
  yield* validateSpec(spec, undefined);
  if (metadata.name.length > MAX_NAME) {
    yield fieldError.invalid('metadata.name', metadata.name, `must be no more than ${MAX_NAME} characters`);
  }
}

/** Upstream's ValidateCronJobUpdate: what stood in the old one may stay. */
export function* validateCronJobUpdate({ spec }: CronJob, old: CronJob): Findings {
  yield* validateSpec(spec, old.spec);
}

function* validateSpec(spec: CronJobSpec, old: CronJobSpec | undefined): Findings {
  yield* validateSchedule(spec, old, SPEC.child('schedule'));
  yield* nonNegative(SPEC.child('startingDeadlineSeconds'), spec.startingDeadlineSeconds);
  if (spec.timeZone !== undefined && spec.timeZone !== old?.timeZone) {
    yield* validateTimeZone(spec.timeZone, SPEC.child('timeZone'));
  }
  yield* oneOf(SPEC.child('concurrencyPolicy'), spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
  yield* validateTemplate(spec.jobTemplate.spec, SPEC.child('jobTemplate', 'spec'));
  yield* nonNegative(SPEC.child('successfulJobsHistoryLimit'), spec.successfulJobsHistoryLimit);
  yield* nonNegative(SPEC.child('failedJobsHistoryLimit'), spec.failedJobsHistoryLimit);
}

function* validateTemplate(spec: JobSpec | undefined, path: FieldPath): Findings {
  if (spec?.template === undefined) return yield fieldError.required(path.child('template'));
  yield* validateJobSpec(spec, path);
  if (spec.selector !== undefined) {
    yield fieldError.invalid(path.child('selector'), spec.selector as Json, '`selector` will be auto-generated');
  }
  if (spec.manualSelector === true) {
    yield fieldError.notSupported(path.child('manualSelector'), true, ['nil', 'false']);
  }
}

function* validateSchedule(
  { schedule, timeZone }: CronJobSpec,
  old: CronJobSpec | undefined,
  path: FieldPath,
): Findings {
  if (!schedule) return yield fieldError.required(path);
  const wrong = scheduleError(schedule);
  if (wrong !== undefined) yield fieldError.invalid(path, schedule, wrong);
  if (!schedule.includes('TZ')) return;
  if (old?.schedule.includes('TZ')) {
    const text = 'cannot use both timeZone field and TZ or CRON_TZ in schedule';
    if (timeZone !== undefined) yield fieldError.invalid(path, schedule, text);
  } else {
    yield fieldError.invalid(path, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
  }
}

function* validateTimeZone(zone: string, path: FieldPath): Findings {
  if (zone === '') return yield fieldError.invalid(path, zone, 'timeZone must be nil or non-empty string');
  const unknown = fieldError.invalid(path, zone, `unknown time zone ${zone}`);
  if (zone.split('/').some((part) => /^\.{1,2}$|^-/.test(part) || !ZONE_PART.test(part))) return yield unknown;
  if (zone.toLowerCase() === 'local') {
    const text = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    yield fieldError.invalid(path, zone, text);
  }
  if (zone !== 'Local' && !isTimeZone(zone)) yield unknown;
}

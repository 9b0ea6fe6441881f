import type { Job } from '../../../api/generated/batch-v1.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isConditionTrue } from '../../../apimachinery/object-meta.ts';
import { type Findings, nonNegative } from '../../validation/rules.ts';

const STATUS = FieldPath.of('status');
const CONDITIONS = STATUS.child('conditions');
const TERMINAL = ['Failed', 'Complete', 'FailureTarget'];

const aboutConditions = (text: string): FieldError => fieldError.invalidWhole(CONDITIONS, text);

/** Upstream's ValidateJobUpdateStatus: what a Job is and how far it has come go together. */
export function* validateJobStatus({ spec, status = {} }: Job, old: Job): Findings {
  const has = (type: string): boolean => isConditionTrue(status.conditions, type);
  const had = (type: string): boolean => isConditionTrue(old.status?.conditions, type);
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const) {
    yield* nonNegative(STATUS.child(field), status[field]);
  }
  yield* uncounted(status.uncountedTerminatedPods);
  const isComplete = has('Complete');
  const isFinished = isComplete || has('Failed');
  if (isComplete && has('Failed')) yield aboutConditions('cannot set Complete=True and Failed=true conditions');
  if (isComplete && has('FailureTarget')) {
    yield aboutConditions('cannot set Complete=True and FailureTarget=true conditions');
  }
  yield* times({ spec, status } as Job, isComplete);
  if (has('Failed') && !had('Failed') && !has('FailureTarget')) {
    yield aboutConditions('cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if (isComplete && !had('Complete') && !has('SuccessCriteriaMet')) {
    yield aboutConditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
  if (isFinished) {
    if ((status.active ?? 0) > 0) {
      yield fieldError.invalid(STATUS.child('active'), status.active, 'active>0 is invalid for finished job');
    }
    if (!status.startTime) {
      yield fieldError.required(STATUS.child('startTime'), 'startTime is required for finished job');
    }
    if ((status.terminating ?? 0) > 0) {
      yield fieldError.invalid(
        STATUS.child('terminating'),
        status.terminating,
        'terminating>0 is invalid for finished job',
      );
    }
  }
  if ((status.ready ?? 0) > (status.active ?? 0)) {
    yield fieldError.invalid(STATUS.child('ready'), status.ready, 'cannot set more ready pods than active');
  }
  if (status.completedIndexes && spec.completionMode !== 'Indexed') {
    const text = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    yield fieldError.invalid(STATUS.child('completedIndexes'), status.completedIndexes, text);
  }
  if (status.failedIndexes && spec.backoffLimitPerIndex === undefined) {
    const text = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    yield fieldError.invalid(STATUS.child('failedIndexes'), status.failedIndexes, text);
  }
  for (const type of TERMINAL) {
    if (had(type) && !has(type)) yield aboutConditions(`cannot disable the terminal ${type}=True condition`);
  }
}

function* times({ status = {} }: Job, isComplete: boolean): Findings {
  const path = STATUS.child('completionTime');
  const { completionTime, startTime } = status;
  if (completionTime && !isComplete) {
    yield fieldError.invalid(
      path,
      completionTime,
      'cannot set completionTime when there is no Complete=True condition',
    );
  }
  if (!completionTime && isComplete) {
    yield fieldError.required(path, 'completionTime is required for Complete jobs');
  }
  if (completionTime && startTime && Date.parse(completionTime) < Date.parse(startTime)) {
    yield fieldError.invalid(path, completionTime, 'completionTime cannot be set before startTime');
  }
}

type Uncounted = NonNullable<NonNullable<Job['status']>['uncountedTerminatedPods']>;

function* uncounted(pods: Uncounted | undefined): Findings {
  const seen = new Set<string>();
  for (const field of ['succeeded', 'failed'] as const) {
    for (const [index, uid] of (pods?.[field] ?? []).entries()) {
      const path = STATUS.child('uncountedTerminatedPods', field).index(index);
      if (uid === '') yield fieldError.invalid(path, uid, 'must not be empty');
      else if (seen.has(uid)) yield fieldError.duplicate(path, uid);
      seen.add(uid);
    }
  }
}

import type { Job, JobSpec, JobStatus } from '../../../api/generated/batch-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError, goTime } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isConditionTrue } from '../../../apimachinery/object-meta.ts';
import { type Findings, nonNegative } from '../../validation/rules.ts';
import { commonIndex, countIndexes } from './indexes.ts';

const STATUS = FieldPath.of('status');
const CONDITIONS = STATUS.child('conditions');
const TERMINAL = ['Failed', 'Complete', 'FailureTarget'];

const aboutConditions = (text: string): FieldError => fieldError.invalidWhole(CONDITIONS, text);
const invalid = (field: keyof JobStatus, value: Json | undefined, text: string): FieldError =>
  fieldError.invalid(STATUS.child(field), value, text);

/** The status to be judged, its conditions, and what of it differs from the old one: much is asked of changes only. */
interface Judged {
  readonly spec: JobSpec;
  readonly status: JobStatus;
  readonly was: JobStatus;
  has(condition: string): boolean;
  readonly isFinished: boolean;
  /** Whether one of these fields or conditions changes. */
  moves(...names: (keyof JobStatus | 'Complete' | 'Failed' | 'FailureTarget' | 'SuccessCriteriaMet')[]): boolean;
  /** Whether it becomes finished, or does no longer count as it. */
  readonly turns: boolean;
}

/** Upstream's ValidateJobUpdateStatus: what a Job is and how far it has come go together. */
export function* validateJobStatus({ spec, status = {} }: Job, old: Job): Findings {
  const was = old.status ?? {};
  const has = (type: string): boolean => isConditionTrue(status.conditions, type);
  const had = (type: string): boolean => isConditionTrue(was.conditions, type);
  const isFinished = has('Complete') || has('Failed');
  const moves: Judged['moves'] = (...names) =>
    names.some((name) =>
      /^[A-Z]/.test(name)
        ? has(name) !== had(name)
        : !semanticEqual(status[name as keyof JobStatus], was[name as keyof JobStatus]),
    );
  const turns = isFinished !== (had('Complete') || had('Failed'));
  const judged: Judged = { spec, status, was, has, isFinished, moves, turns };
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const) {
    yield* nonNegative(STATUS.child(field), status[field]);
  }
  yield* uncounted(status.uncountedTerminatedPods);
  yield* completion(judged);
  yield* finished(judged);
  yield* indexes(judged);
  yield* podsLeft(judged);
  yield* successCriteria(judged);
  for (const type of TERMINAL) {
    if (had(type) && !has(type)) yield aboutConditions(`cannot disable the terminal ${type}=True condition`);
  }
  yield* keptCounters(judged);
  if (had('SuccessCriteriaMet') && !has('SuccessCriteriaMet')) {
    yield aboutConditions('cannot disable the SuccessCriteriaMet=True condition');
  }
  if (had('Complete') && !had('SuccessCriteriaMet') && has('SuccessCriteriaMet')) {
    yield aboutConditions('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
  }
}

function* completion({ status, has, moves }: Judged): Findings {
  const { completionTime, startTime } = status;
  const time = STATUS.child('completionTime');
  const refuse = (text: string): FieldError => fieldError.invalid(time, goTime(completionTime), text);
  if (has('Complete') && has('Failed') && moves('Complete', 'Failed')) {
    yield aboutConditions('cannot set Complete=True and Failed=true conditions');
  }
  if (has('Complete') && has('FailureTarget') && moves('Complete', 'FailureTarget')) {
    yield aboutConditions('cannot set Complete=True and FailureTarget=true conditions');
  }
  if (moves('Complete', 'completionTime')) {
    if (completionTime && !has('Complete')) {
      yield refuse('cannot set completionTime when there is no Complete=True condition');
    }
    if (!completionTime && has('Complete')) {
      yield fieldError.required(time, 'completionTime is required for Complete jobs');
    }
  }
  const isEarly = completionTime && startTime && Date.parse(completionTime) < Date.parse(startTime);
  if (isEarly && moves('startTime', 'completionTime')) yield refuse('completionTime cannot be set before startTime');
}

function* finished({ spec, status, has, isFinished, moves, turns }: Judged): Findings {
  if (has('Failed') && !has('FailureTarget') && moves('Failed', 'FailureTarget')) {
    yield aboutConditions('cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if (has('Complete') && !has('SuccessCriteriaMet') && moves('Complete', 'SuccessCriteriaMet')) {
    yield aboutConditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
  if (!isFinished) return;
  if ((turns || moves('active')) && (status.active ?? 0) > 0) {
    yield invalid('active', status.active, 'active>0 is invalid for finished job');
  }
  const neverStarts = spec.suspend === true && spec.completions === 0;
  if (!status.startTime && (turns || moves('startTime')) && !neverStarts) {
    yield fieldError.required(STATUS.child('startTime'), 'startTime is required for finished job');
  }
  const pods = status.uncountedTerminatedPods;
  const left = (pods?.failed ?? []).length + (pods?.succeeded ?? []).length;
  if (left > 0 && (turns || moves('uncountedTerminatedPods'))) {
    const text = 'uncountedTerminatedPods needs to be empty for finished job';
    yield invalid('uncountedTerminatedPods', pods as Json, text);
  }
}

function* indexes({ spec, status, moves }: Judged): Findings {
  const { completions, backoffLimitPerIndex, completionMode } = spec;
  const { completedIndexes = '', failedIndexes } = status;
  const [completedMove, failedMove] = [moves('completedIndexes'), moves('failedIndexes')];
  if (completedMove && completions !== undefined) {
    const count = countIndexes(completedIndexes, completions);
    if (typeof count === 'string') {
      yield invalid('completedIndexes', completedIndexes, `error parsing completedIndexes: ${count}`);
    }
  }
  if (failedMove && completions !== undefined && backoffLimitPerIndex !== undefined && failedIndexes !== undefined) {
    const count = countIndexes(failedIndexes, completions);
    if (typeof count === 'string') {
      yield invalid('failedIndexes', failedIndexes, `error parsing failedIndexes: ${count}`);
    }
  }
  if (completedMove && completedIndexes !== '' && completionMode !== 'Indexed') {
    const text = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    yield invalid('completedIndexes', completedIndexes, text);
  }
  if (failedIndexes === undefined) return;
  if (failedMove && backoffLimitPerIndex === undefined) {
    const text = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    yield invalid('failedIndexes', failedIndexes, text);
  }
  if (completions === undefined || !(failedMove || completedMove)) return;
  const common = commonIndex(completedIndexes, failedIndexes, completions);
  if (common !== undefined) {
    yield invalid('failedIndexes', failedIndexes, `failedIndexes and completedIndexes overlap at index: ${common}`);
  }
}

function* podsLeft({ status, isFinished, moves, turns }: Judged): Findings {
  const { terminating = 0, ready, active = 0 } = status;
  if (isFinished && terminating > 0 && (turns || moves('terminating'))) {
    yield invalid('terminating', terminating, 'terminating>0 is invalid for finished job');
  }
  if (ready !== undefined && ready > active && moves('ready', 'active')) {
    yield invalid('ready', ready, 'cannot set more ready pods than active');
  }
}

function* successCriteria({ spec, has }: Judged): Findings {
  const isMet = has('SuccessCriteriaMet');
  if (isMet && has('Failed')) yield aboutConditions('cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (isMet && has('FailureTarget')) {
    yield aboutConditions('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  }
  if (spec.successPolicy !== undefined && !isMet && has('Complete')) {
    yield aboutConditions('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
  }
}

/** What only grows, and what is set once. */
function* keptCounters({ spec, status, was, moves }: Judged): Findings {
  // An Indexed Job may be scaled down.
  const isElastic = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  for (const field of ['failed', 'succeeded'] as const) {
    const isFixed = field === 'failed' || !isElastic;
    const count = status[field] ?? 0;
    if (isFixed && count < (was[field] ?? 0)) yield invalid(field, count, `cannot decrease the ${field} counter`);
  }
  if (status.completionTime && was.completionTime && moves('completionTime')) {
    const at = STATUS.child('completionTime');
    yield fieldError.invalid(at, goTime(status.completionTime), 'completionTime cannot be mutated');
  }
  if (was.startTime && moves('startTime') && spec.suspend !== true) {
    yield fieldError.required(STATUS.child('startTime'), 'startTime cannot be removed for unsuspended job');
  }
}

function* uncounted(pods: JobStatus['uncountedTerminatedPods']): Findings {
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

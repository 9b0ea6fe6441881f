/** What a Job calls for next: pure, from what is seen to what should be done. Mirrors upstream's syncJob. */
import type { Job, JobStatus } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { getCondition, isBeingDeleted, isConditionTrue } from '../../apimachinery/object-meta.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';
import { podsToDelete } from '../replicaset/deletion-rank.ts';
import { type BackoffRecord, recordOf, remainingBackoff } from './backoff.ts';
import {
  completionIndex,
  conditionOf,
  earlierIndexFailures,
  finishedAt,
  hasLimitPerIndex,
  isIndexed,
  isPodFailed,
  isSuspended,
  replacesOnlyFailed,
  type Verdict,
} from './job-facts.ts';
import type { PodOrder } from './job-pod.ts';
import { matchFailurePolicy, matchSuccessPolicy } from './policies.ts';
import { type JobView, type Tally, tally, totalIndexFailures } from './tally.ts';

/** The most Pods created or deleted in one round. */
const BURST = 500;

export interface JobPlan {
  readonly tally: Tally;
  /** The status as far as it does not depend on what comes of `creates` and `deletes`. */
  readonly status: JobStatus;
  /** The end, or the step before it; it holds only if every one of `deletes` succeeds. */
  readonly verdict: Verdict | undefined;
  readonly deletes: readonly Pod[];
  /** Whether the deleted Pods are to be forgotten, not counted as failed: their finalizer is taken off before. */
  readonly forgetsDeleted: boolean;
  readonly creates: readonly PodOrder[];
  readonly events: readonly Pick<Verdict, 'reason' | 'message'>[];
  readonly backoff: BackoffRecord;
  /** Milliseconds after which time alone changes the plan. */
  readonly again: number | undefined;
}

/** The plan for `view` at `now` (milliseconds); `backoff` are the failures noted so far. */
export function planJob(view: JobView, backoff: BackoffRecord, now: number): JobPlan {
  const { job } = view;
  const counts = tally(view, now);
  const status = { ...job.status };
  if (status.startTime === undefined && !isSuspended(job)) status.startTime = formatTime(now);
  const record = recordOf(backoff, counts.newlySucceeded, counts.newlyFailed, now);
  const draft = {
    tally: counts,
    status,
    deletes: [] as readonly Pod[],
    forgetsDeleted: false,
    creates: [] as readonly PodOrder[],
    events: [] as Pick<Verdict, 'reason' | 'message'>[],
    backoff: record,
  };
  const deadline = untilDeadline(job, status, now);
  const verdict = judge(view, counts, deadline);
  if (verdict !== undefined) {
    return { ...draft, deletes: counts.active, verdict, again: undefined };
  }
  if (isBeingDeleted(job)) return { ...draft, verdict: completion(job, counts, 0), again: deadline };
  const step = manage(job, counts, record, now);
  const verdictAfter = completion(job, counts, step.deletes.length - step.creates.length);
  if (verdictAfter === undefined) noteSuspension(job, status, draft.events, now);
  return { ...draft, ...step, verdict: verdictAfter, again: earliest(deadline, step.again) };
}

/** Why the Job ends although Pods of it may still run. */
function judge({ job, pods }: JobView, counts: Tally, deadline: number | undefined): Verdict | undefined {
  const conditions = job.status.conditions;
  const noted = (from: 'SuccessCriteriaMet' | 'FailureTarget', to: Verdict['type']): Verdict | undefined => {
    if (!isConditionTrue(conditions, from)) return undefined;
    const { reason = '', message = '' } = getCondition(conditions, from) ?? {};
    return { type: to, reason, message };
  };
  const decided = noted('SuccessCriteriaMet', 'SuccessCriteriaMet') ?? noted('FailureTarget', 'Failed');
  if (decided !== undefined) return decided;
  const failure = (reason: string, message: string): Verdict => ({ type: 'FailureTarget', reason, message });
  if (job.spec.podFailurePolicy !== undefined) {
    for (const pod of pods) {
      const match = isPodFailed(pod, job) ? matchFailurePolicy(job, pod) : undefined;
      if (match?.action === 'FailJob') return failure('PodFailurePolicy', match.message);
    }
  }
  if (counts.failed > (job.spec.backoffLimit ?? 0) || restartsExceedLimit(job, pods)) {
    return failure('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  }
  if (deadline === 0) return failure('DeadlineExceeded', 'Job was active longer than specified deadline');
  if (!isIndexed(job)) return undefined;
  const { failedIndexes, succeededIndexes } = counts;
  if (failedIndexes !== undefined) {
    if (failedIndexes.size > (job.spec.maxFailedIndexes ?? Number.POSITIVE_INFINITY)) {
      const message = 'Job has exceeded the specified maximal number of failed indexes';
      return failure('MaxFailedIndexesExceeded', message);
    }
    if (failedIndexes.size > 0 && failedIndexes.size + succeededIndexes.size >= (job.spec.completions ?? 0)) {
      return failure('FailedIndexes', 'Job has failed indexes');
    }
  }
  const message = matchSuccessPolicy(job, succeededIndexes);
  return message === undefined ? undefined : { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message };
}

/** With restartPolicy OnFailure the kubelet's restarts are the failures. */
function restartsExceedLimit({ spec }: Job, pods: readonly Pod[]): boolean {
  if (spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status.phase !== 'Running' && status.phase !== 'Pending') continue;
    for (const { restartCount } of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
      restarts += restartCount;
    }
  }
  const limit = spec.backoffLimit ?? 0;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Milliseconds until activeDeadlineSeconds is over; undefined when nothing counts down. */
function untilDeadline(job: Job, status: JobStatus, now: number): number | undefined {
  const start = parseTime(status.startTime);
  if (job.spec.activeDeadlineSeconds === undefined || start === undefined || isSuspended(job)) return undefined;
  return Math.max(0, start + job.spec.activeDeadlineSeconds * 1000 - now);
}

/** Success, when `fewer` Pods less than now are active and enough have succeeded. */
function completion({ spec }: Job, counts: Tally, fewer: number): Verdict | undefined {
  if (counts.active.length - fewer > 0) return undefined;
  const enough = spec.completions === undefined ? counts.succeeded > 0 : counts.succeeded >= spec.completions;
  if (!enough) return undefined;
  const message = 'Reached expected number of succeeded pods';
  return { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message };
}

type Step = Pick<JobPlan, 'deletes' | 'forgetsDeleted' | 'creates' | 'again'>;
const REST: Step = { deletes: [], forgetsDeleted: false, creates: [], again: undefined };

/** Towards the number of Pods that should run: either deletes or creates, never both in one round. */
function manage(job: Job, counts: Tally, record: BackoffRecord, now: number): Step {
  const { active } = counts;
  const forget = (deletes: readonly Pod[]): Step => ({
    ...REST,
    deletes: deletes.slice(0, BURST),
    forgetsDeleted: true,
  });
  if (isSuspended(job)) return forget(active);
  const wanted = wantedActive(job, counts);
  const surplus = surplusPods(job, active, Math.max(0, active.length - wanted), now);
  if (surplus.length > 0) return forget(surplus);
  const terminating = replacesOnlyFailed(job) ? counts.terminating : 0;
  const missing = Math.min(wanted - terminating - active.length, BURST);
  if (missing <= 0) return REST;
  if (!hasLimitPerIndex(job)) {
    const wait = remainingBackoff(record, now);
    if (wait > 0) return { ...REST, again: wait };
  }
  if (!isIndexed(job)) return { ...REST, creates: Array.from({ length: missing }, () => ({})) };
  return orderIndexes(job, counts, missing, now);
}

function wantedActive({ spec }: Job, { active, succeeded }: Tally): number {
  const parallelism = spec.parallelism ?? 1;
  // A work queue: once one Pod has succeeded the others finish, and none is started.
  if (spec.completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(parallelism, spec.completions - succeeded));
}

/** The `count` Pods to give up, and before them those that double an index or have one that is not wanted. */
function surplusPods(job: Job, active: readonly Pod[], count: number, now: number): Pod[] {
  if (!isIndexed(job)) return podsToDelete(active, [], count, now);
  const byIndex = new Map<number, Pod[]>();
  const surplus: Pod[] = [];
  for (const pod of active) {
    const index = completionIndex(pod, job.spec.completions ?? 0);
    if (index === undefined) surplus.push(pod);
    else byIndex.set(index, [...(byIndex.get(index) ?? []), pod]);
  }
  const left: Pod[] = [];
  for (const pods of byIndex.values()) {
    const order = pods.length > 1 ? podsToDelete(pods, [], pods.length - 1, now) : [];
    surplus.push(...order);
    left.push(...pods.filter((pod) => !order.includes(pod)));
  }
  return [...surplus, ...podsToDelete(left, [], Math.max(0, count - surplus.length), now)];
}

/** The first `missing` indexes that neither run nor are done, those whose own back-off is over. */
function orderIndexes(job: Job, counts: Tally, missing: number, now: number): Step {
  const completions = job.spec.completions ?? 0;
  const busy = new Set(counts.active.map((pod) => completionIndex(pod, completions)));
  const creates: PodOrder[] = [];
  let wait: number | undefined;
  let found = 0;
  for (let index = 0; index < completions && found < missing; index++) {
    if (busy.has(index) || counts.succeededIndexes.has(index) || counts.failedIndexes?.has(index)) continue;
    found++;
    if (!hasLimitPerIndex(job)) {
      creates.push({ index });
      continue;
    }
    const last = counts.lastFailures.get(index);
    if (last === undefined) {
      creates.push({ index, failures: { counted: 0, ignored: 0 } });
      continue;
    }
    const record = { failures: totalIndexFailures(last) + 1, lastFailure: finishedAt(last, now) };
    const remaining = remainingBackoff(record, now);
    if (remaining > 0) wait = earliest(wait, remaining);
    else creates.push({ index, failures: failuresAfter(job, last) });
  }
  return { ...REST, creates, again: wait };
}

function failuresAfter(job: Job, last: Pod): { counted: number; ignored: number } {
  const { counted, ignored } = earlierIndexFailures(last);
  const ignores = job.spec.podFailurePolicy !== undefined && !matchFailurePolicy(job, last).counts;
  return ignores ? { counted, ignored: ignored + 1 } : { counted: counted + 1, ignored };
}

/** Notes in `status` and `events` that the Job was suspended or resumed since it was last looked at. */
function noteSuspension(job: Job, status: JobStatus, events: Pick<Verdict, 'reason' | 'message'>[], now: number): void {
  const conditions = status.conditions ?? [];
  const old = getCondition(conditions, 'Suspended');
  const suspended = isSuspended(job);
  if (old === undefined ? !suspended : (old.status === 'True') === suspended) return;
  const message = suspended ? 'Job suspended' : 'Job resumed';
  const reason = suspended ? 'JobSuspended' : 'JobResumed';
  const next = conditionOf({ type: 'Suspended', reason, message }, now, suspended ? 'True' : 'False');
  status.conditions = [...conditions.filter(({ type }) => type !== 'Suspended'), next];
  // The clock of activeDeadlineSeconds starts again with the Job.
  if (!suspended) status.startTime = formatTime(now);
  events.push({ reason: suspended ? 'Suspended' : 'Resumed', message });
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

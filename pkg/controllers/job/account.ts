/**
 * Taking a Job's ended Pods into its status without losing or doubling one, even if the controller dies in between:
 * first their uids are written as uncounted, then their finalizers go, then they become numbers.
 */
import type { JobStatus } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { isConditionTrue } from '../../apimachinery/object-meta.ts';
import { isPodReady } from '../pod-state.ts';
import { completionIndex, conditionOf, isIndexed, isPodFailed, isTracked, type Verdict } from './job-facts.ts';
import type { JobPlan } from './plan.ts';
import { matchFailurePolicy } from './policies.ts';
import type { JobView } from './tally.ts';

/** More are not held in the status at a time. */
const MOST_UNCOUNTED = 500;

/** What came of a plan's creations and deletions. */
export interface Outcome {
  readonly created: number;
  readonly deleted: ReadonlySet<Pod>;
}

export interface Account {
  /** To be written before any finalizer goes. */
  readonly status: JobStatus;
  /** The Pods that the status accounts for. */
  readonly release: readonly Pod[];
  /** To be declared once all is counted. */
  readonly verdict: Verdict | undefined;
}

/** The status after `outcome`, and which Pods it lets go. */
export function accountFor(view: JobView, plan: JobPlan, outcome: Outcome, now: number): Account {
  const { job } = view;
  const { tally } = plan;
  const allDeleted = outcome.deleted.size === plan.deletes.length;
  let verdict = allDeleted ? plan.verdict : undefined;
  const completions = job.spec.completions ?? 0;
  const held = new Set(view.pods.filter(isTracked).map((pod) => pod.metadata.uid));
  const status = counted(plan.status, held);
  status.active = tally.active.length + outcome.created - outcome.deleted.size;
  status.ready = tally.ready - [...outcome.deleted].filter(isPodReady).length;
  status.terminating = tally.terminating + outcome.deleted.size;

  const succeeded = [...(status.uncountedTerminatedPods?.succeeded ?? [])];
  const failed = [...(status.uncountedTerminatedPods?.failed ?? [])];
  const indexes: number[] = [];
  const release: Pod[] = [];
  const endsBadly = verdict !== undefined && verdict.type !== 'SuccessCriteriaMet' && verdict.type !== 'Complete';
  const byIndex = (pod: Pod): number => completionIndex(pod, completions) ?? -1;
  const pods = isIndexed(job) ? [...view.pods].sort((a, b) => byIndex(a) - byIndex(b)) : view.pods;
  let isFull = false;
  for (const pod of pods) {
    const { uid } = pod.metadata;
    // Forgotten Pods have lost their finalizer when they were deleted.
    if (!held.has(uid) || (plan.forgetsDeleted && outcome.deleted.has(pod))) continue;
    const isFailed = isPodFailed(pod, job);
    const hasSucceeded = pod.status.phase === 'Succeeded';
    const ends = verdict !== undefined || job.metadata.deletionTimestamp !== undefined;
    if (!ends && !hasSucceeded && !(isFailed && !isLastFailure(view, plan, pod))) continue;
    release.push(pod);
    const index = completionIndex(pod, completions);
    if (hasSucceeded && !failed.includes(uid)) {
      if (!isIndexed(job)) {
        if (!succeeded.includes(uid)) succeeded.push(uid);
      } else if (index !== undefined && !tally.previousIndexes.has(index)) indexes.push(index);
    } else if ((isFailed || endsBadly) && !failed.includes(uid) && (!isIndexed(job) || index !== undefined)) {
      // A Pod that the end of the Job cuts short has failed too, deleted or not.
      if (job.spec.podFailurePolicy === undefined || matchFailurePolicy(job, pod).counts) failed.push(uid);
    }
    if (indexes.length + succeeded.length + failed.length >= MOST_UNCOUNTED) {
      isFull = true;
      break;
    }
  }
  status.uncountedTerminatedPods = {
    ...(succeeded.length > 0 && { succeeded }),
    ...(failed.length > 0 && { failed }),
  };
  if (isIndexed(job)) {
    const all = tally.previousIndexes.with(indexes);
    status.succeeded = all.size;
    status.completedIndexes = all.toString();
    if (tally.failedIndexes !== undefined) status.failedIndexes = tally.failedIndexes.toString();
  }
  if (verdict?.type === 'FailureTarget' || verdict?.type === 'SuccessCriteriaMet') {
    if (!isConditionTrue(status.conditions, verdict.type)) {
      status.conditions = [...(status.conditions ?? []), conditionOf(verdict, now)];
    }
    verdict = { ...verdict, type: verdict.type === 'FailureTarget' ? 'Failed' : 'Complete' };
  }
  return { status: trimmed(status), release, verdict: isFull ? undefined : verdict };
}

/** The Pod whose count of failures the next one of its index takes over: it stays until that one is there. */
function isLastFailure(view: JobView, { tally }: JobPlan, pod: Pod): boolean {
  const index = completionIndex(pod, view.job.spec.completions ?? 0);
  return index !== undefined && tally.lastFailures.get(index) === pod;
}

/**
 * The status once only the Pods of `held` carry the finalizer, and, when nothing is left to wait for, with `verdict`
 * declared.
 */
export function settle(
  status: JobStatus,
  held: ReadonlySet<string>,
  verdict: Verdict | undefined,
  now: number,
): { readonly status: JobStatus; readonly finished: boolean } {
  const settled = counted(status, held);
  const { succeeded = [], failed = [] } = settled.uncountedTerminatedPods ?? {};
  const finished =
    verdict !== undefined &&
    succeeded.length + failed.length === 0 &&
    (settled.terminating ?? 0) === 0 &&
    (settled.active ?? 0) === 0;
  if (finished) {
    const condition = conditionOf(verdict, now);
    settled.conditions = [...(settled.conditions ?? []).filter(({ type }) => type !== verdict.type), condition];
    if (verdict.type === 'Complete') settled.completionTime = condition.lastTransitionTime ?? '';
  }
  return { status: trimmed(settled), finished };
}

/** Turns the uncounted Pods that have lost their finalizer into numbers. */
function counted(status: JobStatus, held: ReadonlySet<string>): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const waiting = {
    succeeded: succeeded.filter((uid) => held.has(uid)),
    failed: failed.filter((uid) => held.has(uid)),
  };
  return {
    ...status,
    succeeded: (status.succeeded ?? 0) + succeeded.length - waiting.succeeded.length,
    failed: (status.failed ?? 0) + failed.length - waiting.failed.length,
    uncountedTerminatedPods: {
      ...(waiting.succeeded.length > 0 && { succeeded: waiting.succeeded }),
      ...(waiting.failed.length > 0 && { failed: waiting.failed }),
    },
  };
}

/** Without the counts that the API leaves out when they are zero. */
function trimmed(status: JobStatus): JobStatus {
  const { active, succeeded, failed, completedIndexes, ...rest } = status;
  return {
    ...rest,
    ...(active && { active }),
    ...(succeeded && { succeeded }),
    ...(failed && { failed }),
    ...(completedIndexes && { completedIndexes }),
  };
}

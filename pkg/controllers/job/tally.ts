/** Counting a Job's Pods: what has been accounted for, and what its Pods add to that. */
import type { Job } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { isPodActive, isPodReady, isPodTerminating } from '../pod-state.ts';
import { IndexSet } from './indexes.ts';
import {
  completionIndex,
  earlierIndexFailures,
  finishedAt,
  hasLimitPerIndex,
  isIndexed,
  isPodFailed,
  isTracked,
} from './job-facts.ts';
import { matchFailurePolicy } from './policies.ts';

export interface JobView {
  readonly job: Job;
  /** All Pods that belong to the Job, ended ones too. */
  readonly pods: readonly Pod[];
}

export interface Tally {
  readonly active: readonly Pod[];
  readonly ready: number;
  readonly terminating: number;
  /** Including what is not in the status yet. */
  readonly succeeded: number;
  readonly failed: number;
  /** Ended Pods that the status does not know of. */
  readonly newlySucceeded: readonly Pod[];
  readonly newlyFailed: readonly Pod[];
  /** The succeeded indexes of the status, and with those of Pods seen since. */
  readonly previousIndexes: IndexSet;
  readonly succeededIndexes: IndexSet;
  /** For Jobs with a backoffLimitPerIndex. */
  readonly failedIndexes: IndexSet | undefined;
  /** By index: the last failed Pod of an index that is to be tried again; it carries the count of failures. */
  readonly lastFailures: ReadonlyMap<number, Pod>;
}

export function tally(view: JobView, now: number): Tally {
  const { job, pods } = view;
  const { status, spec } = job;
  const completions = spec.completions ?? 0;
  const indexed = isIndexed(job);
  const active = pods.filter(isPodActive);
  const uncounted = status.uncountedTerminatedPods ?? {};
  const unseen = (seen: readonly string[] | undefined) => (pod: Pod) => {
    if (!isTracked(pod) || seen?.includes(pod.metadata.uid)) return false;
    return !indexed || completionIndex(pod, completions) !== undefined;
  };
  const newlySucceeded = pods.filter(unseen(uncounted.succeeded)).filter((pod) => pod.status.phase === 'Succeeded');
  const newlyFailed = pods.filter(unseen(uncounted.failed)).filter((pod) => isPodFailed(pod, job));
  const counted = newlyFailed.filter(
    (pod) => spec.podFailurePolicy === undefined || matchFailurePolicy(job, pod).counts,
  ).length;

  const previousIndexes = indexed ? IndexSet.parse(status.completedIndexes, completions) : IndexSet.empty;
  const indexesOf = (some: readonly Pod[]): number[] =>
    some.map((pod) => completionIndex(pod, completions)).filter((index) => index !== undefined);
  const succeededIndexes = indexed ? previousIndexes.with(indexesOf(newlySucceeded)) : previousIndexes;
  let failedIndexes: IndexSet | undefined;
  if (hasLimitPerIndex(job)) {
    const failed = pods.filter((pod) => isPodFailed(pod, job) && exhaustsIndex(job, pod));
    failedIndexes = IndexSet.parse(status.failedIndexes, completions).with(indexesOf(failed));
  }
  return {
    active,
    ready: active.filter(isPodReady).length,
    terminating: pods.filter(isPodTerminating).length,
    succeeded: indexed
      ? succeededIndexes.size
      : (status.succeeded ?? 0) + newlySucceeded.length + (uncounted.succeeded?.length ?? 0),
    failed: (status.failed ?? 0) + counted + (uncounted.failed?.length ?? 0),
    newlySucceeded,
    newlyFailed,
    previousIndexes,
    succeededIndexes,
    failedIndexes,
    lastFailures: hasLimitPerIndex(job)
      ? lastFailures(view, active, [succeededIndexes, failedIndexes ?? IndexSet.empty], now)
      : new Map(),
  };
}

/** Whether the failure of `pod` is one too many for its index. */
function exhaustsIndex(job: Job, pod: Pod): boolean {
  if (job.spec.podFailurePolicy !== undefined) {
    const match = matchFailurePolicy(job, pod);
    if (match.action === 'FailIndex') return true;
    if (!match.counts) return false;
  }
  return earlierIndexFailures(pod).counted >= (job.spec.backoffLimitPerIndex ?? 0);
}

function lastFailures(
  { job, pods }: JobView,
  active: readonly Pod[],
  settled: readonly IndexSet[],
  now: number,
): Map<number, Pod> {
  const completions = job.spec.completions ?? 0;
  const running = new Set(active.map((pod) => completionIndex(pod, completions)));
  const last = new Map<number, Pod>();
  for (const pod of pods) {
    const index = completionIndex(pod, completions);
    if (index === undefined || !isTracked(pod) || !isPodFailed(pod, job)) continue;
    if (running.has(index) || settled.some((set) => set.has(index))) continue;
    const other = last.get(index);
    if (other === undefined || isLater(pod, other, now)) last.set(index, pod);
  }
  return last;
}

function isLater(pod: Pod, other: Pod, now: number): boolean {
  return totalIndexFailures(pod) >= totalIndexFailures(other) && finishedAt(pod, now) >= finishedAt(other, now);
}

/** Failures of the Pod's index before it, counted and ignored. */
export function totalIndexFailures(pod: Pod): number {
  const { counted, ignored } = earlierIndexFailures(pod);
  return counted + ignored;
}

/** Readings of Jobs and their Pods that the parts of the job controller share. */
import type { Job, JobCondition } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { getCondition, hasFinalizer, isConditionTrue } from '../../apimachinery/object-meta.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';

/** Held by a Pod until the Job's status accounts for it, so that no result is lost with a deleted Pod. */
export const TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
/** On Pods of Jobs with a backoffLimitPerIndex: how often their index failed before. */
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const INDEX_IGNORED_FAILURES = 'batch.kubernetes.io/job-index-ignored-failure-count';
/** `spec.managedBy` of Jobs that are this controller's. */
const THIS_CONTROLLER = 'kubernetes.io/job-controller';

/** What becomes a condition of the Job, and an event. */
export interface Verdict {
  readonly type: 'SuccessCriteriaMet' | 'Complete' | 'FailureTarget' | 'Failed' | 'Suspended';
  readonly reason: string;
  readonly message: string;
}

export const isIndexed = (job: Job): boolean => job.spec.completionMode === 'Indexed';

export const isSuspended = (job: Job): boolean => job.spec.suspend === true;

export const isManagedElsewhere = (job: Job): boolean => (job.spec.managedBy ?? THIS_CONTROLLER) !== THIS_CONTROLLER;

export const hasLimitPerIndex = (job: Job): boolean => isIndexed(job) && job.spec.backoffLimitPerIndex !== undefined;

/** Ended for good: its Pods are counted and its status no longer changes. */
export function isJobFinished(job: Job): boolean {
  return finishedCondition(job) !== undefined;
}

/** The Complete or Failed condition of a Job that has ended. */
export function finishedCondition(job: Job): JobCondition | undefined {
  const conditions = job.status?.conditions;
  return ['Complete', 'Failed']
    .filter((type) => isConditionTrue(conditions, type))
    .map((type) => getCondition(conditions, type))
    .find((condition) => condition !== undefined);
}

export function conditionOf({ type, reason, message }: Verdict, now: number, status = 'True'): JobCondition {
  const time = formatTime(now);
  return { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message };
}

/** Whether a Pod that is being deleted is replaced only once it has ended. */
export function replacesOnlyFailed({ spec }: Job): boolean {
  return spec.podReplacementPolicy === undefined
    ? spec.podFailurePolicy !== undefined
    : spec.podReplacementPolicy === 'Failed';
}

/** Counts as failed: so does one that is deleted before it could end, unless the Job waits for that. */
export function isPodFailed(pod: Pod, job: Job): boolean {
  if (pod.status.phase === 'Failed') return true;
  if (replacesOnlyFailed(job)) return false;
  return pod.metadata.deletionTimestamp !== undefined && pod.status.phase !== 'Succeeded';
}

export const isTracked = (pod: Pod): boolean => hasFinalizer(pod, TRACKING_FINALIZER);

/** The Pod's completion index; undefined when it has none, or none that the Job still knows. */
export function completionIndex(pod: Pod, completions: number): number | undefined {
  const index = count(pod.metadata.annotations?.[COMPLETION_INDEX]);
  return index !== undefined && index < completions ? index : undefined;
}

/** How often the Pod's index had failed when it was made: `counted` against the limit, and in all. */
export function earlierIndexFailures(pod: Pod): { counted: number; ignored: number } {
  const annotations = pod.metadata.annotations ?? {};
  return { counted: count(annotations[INDEX_FAILURES]) ?? 0, ignored: count(annotations[INDEX_IGNORED_FAILURES]) ?? 0 };
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** When the Pod ended, in milliseconds: its last container's end, or what comes closest. */
export function finishedAt(pod: Pod, now: number): number {
  const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])];
  const ends = statuses
    .map(({ state }) => parseTime(state?.terminated?.finishedAt))
    .filter((time) => time !== undefined);
  if (ends.length > 0) return Math.max(...ends);
  const notReady = getCondition(pod.status.conditions, 'Ready');
  const stopped = notReady?.status === 'False' ? parseTime(notReady.lastTransitionTime) : undefined;
  return stopped ?? Math.min(parseTime(pod.metadata.deletionTimestamp) ?? now, now);
}

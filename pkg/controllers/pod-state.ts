/** Readings of a Pod that several controllers share (k8s.io/kubernetes/pkg/api/v1/pod). */
import type { Pod } from '../api/generated/core-v1.ts';
import { getCondition } from '../apimachinery/object-meta.ts';
import { parseTime } from '../apimachinery/time.ts';

/** Ended for good: Succeeded or Failed. */
export function isPodTerminal(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}

/** Counts as a replica: neither ended nor being deleted. */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Being deleted and still there: not ended yet. */
export function isPodTerminating(pod: Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp !== undefined;
}

export function isPodReady(pod: Pod): boolean {
  return getCondition(pod.status.conditions, 'Ready')?.status === 'True';
}

/** When the Ready condition last changed, in milliseconds since the epoch; undefined when unknown. */
export function readyTransitionTime(pod: Pod): number | undefined {
  return parseTime(getCondition(pod.status.conditions, 'Ready')?.lastTransitionTime);
}

/**
 * Milliseconds until the Pod has been ready for `minReadySeconds`: 0 when it is available now, undefined when it is not
 * ready at all.
 */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  const since = readyTransitionTime(pod);
  return since === undefined ? undefined : Math.max(0, since + minReadySeconds * 1000 - now);
}

/** The shortest of `waits`, of those that there are. */
export function earliest(waits: readonly (number | undefined)[]): number | undefined {
  return waits.reduce((least, wait) => (wait === undefined ? least : Math.min(least ?? wait, wait)), undefined);
}

import type { Pod } from '../api/generated/core-v1.ts';

/** Higher goes first; a Pod without one counts as 0. */
export const podPriority = (pod: Pod): number => pod.spec.priority ?? 0;

/** When the kubelet took the Pod up, in milliseconds since the epoch; `now` for one that has not been taken up. */
export const podStartTime = (pod: Pod, now: number): number =>
  pod.status.startTime === undefined ? now : Date.parse(pod.status.startTime);

/** Negative when `a` is to be kept rather than `b`: of higher priority, or running for longer. */
export const byImportance =
  (now: number) =>
  (a: Pod, b: Pod): number =>
    podPriority(b) - podPriority(a) || podStartTime(a, now) - podStartTime(b, now);

/** How many Pods of a PodDisruptionBudget may be taken away just now: pure, from what is seen to a status. */

import type { Pod } from '../../api/generated/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/generated/policy-v1.ts';
import { scaledValue } from '../../apimachinery/int-or-string.ts';
import { isBeingDeleted, setCondition } from '../../apimachinery/object-meta.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';
import { withDisruptionAllowed } from '../../registry/policy/disruption-allowed.ts';
import { isPodReady } from '../pod-state.ts';

/** So long an evicted Pod is taken as good as gone; after that somebody has kept it from going. */
const DELETION_TIMEOUT_MS = 2 * 60_000;

/** What is known of the Pods that a budget guards. */
export interface BudgetView {
  readonly budget: PodDisruptionBudget;
  readonly pods: readonly Pod[];
  /** The Pods that their controllers want together; asked for when the budget is a share. Throws when unknown. */
  expectedScale(): number;
}

export interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** Pods that were evicted and did not go. */
  readonly notDeleted: readonly Pod[];
  /** Milliseconds after which an eviction that did not come about no longer counts. */
  readonly again: number | undefined;
}

/** The plan at `now` (milliseconds). Mirrors upstream's disruption controller. Throws when the scale is not known. */
export function planBudget({ budget, pods, expectedScale }: BudgetView, now: number): BudgetPlan {
  const { spec, metadata, status } = budget;
  const { expected, desired } = targets(budget, pods.length, expectedScale);
  const disrupted: Record<string, string | null> = {};
  const notDeleted: Pod[] = [];
  let again: number | undefined;
  for (const pod of pods) {
    const since = status?.disruptedPods?.[pod.metadata.name];
    const left = (parseTime(since) ?? 0) + DELETION_TIMEOUT_MS - now;
    if (since === undefined || isBeingDeleted(pod)) continue;
    if (left <= 0) {
      notDeleted.push(pod);
      continue;
    }
    disrupted[pod.metadata.name] = since;
    again = Math.min(again ?? left, left);
  }
  const healthy = pods.filter(
    (pod) => !isBeingDeleted(pod) && disrupted[pod.metadata.name] === undefined && isPodReady(pod),
  ).length;
  // A budget that matches nothing yet must not be open when its first Pods appear.
  const allowed = spec.selector === undefined || expected <= 0 ? 0 : Math.max(0, healthy - desired);
  const next: PodDisruptionBudgetStatus = {
    ...(status?.conditions && { conditions: status.conditions }),
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    ...(Object.keys(disrupted).length > 0 && { disruptedPods: disrupted as Record<string, string> }),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
  };
  return { status: withDisruptionAllowed(next, metadata.generation, formatTime(now)), notDeleted, again };
}

function targets(
  { spec }: PodDisruptionBudget,
  count: number,
  expectedScale: () => number,
): { expected: number; desired: number } {
  if (spec.maxUnavailable !== undefined) {
    const expected = expectedScale();
    return { expected, desired: Math.max(0, expected - scaledValue(spec.maxUnavailable, expected, true)) };
  }
  if (spec.minAvailable === undefined) return { expected: 0, desired: 0 };
  if (typeof spec.minAvailable === 'number') return { expected: count, desired: spec.minAvailable };
  const expected = expectedScale();
  return { expected, desired: scaledValue(spec.minAvailable, expected, true) };
}

/** The status when the true one cannot be told: nothing may go. */
export function failSafe(
  { metadata, status }: PodDisruptionBudget,
  why: string,
  now: number,
): PodDisruptionBudgetStatus {
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'SyncFailed',
    message: why,
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
  };
  const conditions = [...setCondition(status?.conditions, condition, formatTime(now))];
  return { ...status, disruptionsAllowed: 0, conditions };
}

import type { ReplicaSetCondition, ReplicaSetStatus } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { getCondition } from '../../apimachinery/object-meta.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { errorText } from '../../base/log.ts';
import { availableIn, isPodReady } from '../pod-state.ts';

/** What the status is computed from. */
export interface ReplicaSetView {
  readonly generation: number;
  readonly replicas: number;
  readonly minReadySeconds: number;
  /** The labels of the Pod template. */
  readonly labels: Readonly<Record<string, string>>;
  readonly status: ReplicaSetStatus;
  readonly active: readonly Pod[];
  /** Pods being deleted that have not ended. */
  readonly terminating: readonly Pod[];
  /** Why creating or deleting Pods failed in this round; undefined when it did not. */
  readonly failure: unknown;
}

export interface NextStatus {
  readonly status: ReplicaSetStatus;
  /** Milliseconds until a ready Pod becomes available; undefined when none will by time alone. */
  readonly again: number | undefined;
}

/** The status that `view` calls for, as upstream's calculateStatus has it. */
export function replicaSetStatus(view: ReplicaSetView, now: number): NextStatus {
  let fullyLabeled = 0;
  let ready = 0;
  let available = 0;
  let again: number | undefined;
  for (const pod of view.active) {
    const labels = pod.metadata.labels ?? {};
    if (Object.entries(view.labels).every(([key, value]) => labels[key] === value)) fullyLabeled++;
    if (!isPodReady(pod)) continue;
    ready++;
    const wait = availableIn(pod, view.minReadySeconds, now);
    if (wait === 0) available++;
    else if (wait !== undefined) again = Math.min(again ?? wait, wait);
  }
  const conditions = withFailure(view, formatTime(now));
  const status: ReplicaSetStatus = {
    replicas: view.active.length,
    ...(fullyLabeled > 0 && { fullyLabeledReplicas: fullyLabeled }),
    ...(ready > 0 && { readyReplicas: ready }),
    ...(available > 0 && { availableReplicas: available }),
    ...(view.terminating.length > 0 && { terminatingReplicas: view.terminating.length }),
    observedGeneration: view.generation,
    ...(conditions.length > 0 && { conditions: [...conditions] }),
  };
  return { status, again };
}

function withFailure(view: ReplicaSetView, now: string): readonly ReplicaSetCondition[] {
  const conditions = view.status.conditions ?? [];
  const old = getCondition(conditions, 'ReplicaFailure');
  if (view.failure === undefined) return conditions.filter(({ type }) => type !== 'ReplicaFailure');
  const difference = view.active.length - view.replicas;
  if (old !== undefined || difference === 0) return conditions;
  const failure: ReplicaSetCondition = {
    type: 'ReplicaFailure',
    status: 'True',
    lastTransitionTime: now,
    reason: difference < 0 ? 'FailedCreate' : 'FailedDelete',
    message: errorText(view.failure),
  };
  return [...conditions, failure];
}

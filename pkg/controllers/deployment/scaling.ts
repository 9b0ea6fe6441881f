/** Sizes: scaling events, proportional scaling, and the steps of a rolling update. Upstream's sync.go and rolling.go. */
import type { Deployment } from '../../api/generated/apps-v1.ts';
import {
  availableReplicas,
  byAge,
  bySize,
  type Draft,
  desiredReplicas,
  draftedReplicas,
  isActive,
  isRollingUpdate,
  maxSurge,
  maxUnavailable,
  newReplicaSetSize,
} from './draft.ts';
import { desiredReplicasOf, maxReplicasOf, noteReplicas } from './revisions.ts';

/** Sets the size of `draft`, noting the Deployment's; whether the size changed. */
function resize(draft: Draft, replicas: number, deployment: Deployment): boolean {
  if (draft.replicas === replicas) return false;
  draft.replicas = replicas;
  noteReplicas(draft, deployment);
  return true;
}

/** Whether the Deployment was resized since its ReplicaSets were: sizes are settled before a rollout goes on. */
export function isScalingEvent(deployment: Deployment, drafts: readonly Draft[]): boolean {
  const desired = desiredReplicas(deployment);
  return drafts.filter(isActive).some((draft) => (desiredReplicasOf(draft) ?? desired) !== desired);
}

/**
 * Brings a resized (or paused) Deployment to its size: the only active ReplicaSet takes it, a finished rollout's old
 * ones go to zero, and in the middle of a rollout the difference is shared out in proportion to the sizes.
 */
export function scale(deployment: Deployment, newest: Draft | undefined, old: readonly Draft[]): void {
  const all = newest === undefined ? [...old] : [...old, newest];
  const desired = desiredReplicas(deployment);
  const active = all.filter(isActive);
  if (active.length <= 1) {
    const only = active[0] ?? newest ?? [...old].sort(byAge).at(-1);
    if (only === undefined) return;
    only.replicas = desired;
    // Noted even when the size is right already (someone scaled the ReplicaSet by hand): no rollout starts before.
    noteReplicas(only, deployment);
    return;
  }
  if (newest !== undefined && isSaturated(deployment, newest)) {
    for (const draft of old.filter(isActive)) resize(draft, 0, deployment);
    return;
  }
  if (isRollingUpdate(deployment)) scaleProportionally(deployment, active);
}

function isSaturated(deployment: Deployment, draft: Draft): boolean {
  const desired = desiredReplicas(deployment);
  return (
    draft.replicas === desired &&
    desiredReplicasOf(draft) === desired &&
    (draft.set.status.availableReplicas ?? 0) === desired
  );
}

function scaleProportionally(deployment: Deployment, active: readonly Draft[]): void {
  const desired = desiredReplicas(deployment);
  const allowed = desired > 0 ? desired + maxSurge(deployment) : 0;
  const toAdd = allowed - draftedReplicas(active);
  const ordered = [...active].sort(bySize(toAdd > 0 ? 'newer' : 'older'));
  let added = 0;
  const sizes = ordered.map((draft) => {
    const share = toAdd === 0 ? 0 : proportion(deployment, draft, toAdd, added);
    added += share;
    return draft.replicas + share;
  });
  ordered.forEach((draft, index) => {
    const size = sizes[index] ?? 0;
    // What rounding left over goes to the largest.
    draft.replicas = index === 0 ? Math.max(0, size + toAdd - added) : size;
    noteReplicas(draft, deployment);
  });
}

/** The part of `toAdd` (negative when shrinking) that falls to `draft`, `added` being given out already. */
function proportion(deployment: Deployment, draft: Draft, toAdd: number, added: number): number {
  if (draft.replicas === 0 || toAdd === added) return 0;
  const fraction = fractionOf(deployment, draft);
  const left = toAdd - added;
  return toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
}

function fractionOf(deployment: Deployment, draft: Draft): number {
  const desired = desiredReplicas(deployment);
  if (desired === 0) return -draft.replicas;
  const before = maxReplicasOf(draft) || deployment.status.replicas || 0;
  if (before === 0) return 0;
  const size = (draft.replicas * (desired + maxSurge(deployment))) / before;
  return Math.round(size) - draft.replicas;
}

/** One step of a rolling update: first the new ReplicaSet grows, else the old ones shrink. Whether a size changed. */
export function rollingUpdateStep(deployment: Deployment, newest: Draft, old: readonly Draft[]): boolean {
  return growNew(deployment, newest, [...old, newest]) || shrinkOld(deployment, newest, old);
}

function growNew(deployment: Deployment, newest: Draft, all: readonly Draft[]): boolean {
  const desired = desiredReplicas(deployment);
  if (newest.replicas === desired) return false;
  if (newest.replicas > desired) return resize(newest, desired, deployment);
  return resize(newest, newReplicaSetSize(deployment, all, newest.replicas), deployment);
}

function shrinkOld(deployment: Deployment, newest: Draft, old: readonly Draft[]): boolean {
  const active = old.filter(isActive).sort(byAge);
  const all = [...active, newest];
  const minAvailable = desiredReplicas(deployment) - maxUnavailable(deployment);
  const newUnavailable = newest.replicas - (newest.set.status.availableReplicas ?? 0);
  const most = draftedReplicas(all) - minAvailable - newUnavailable;
  if (active.length === 0 || most <= 0) return false;
  // Pods that do not work are no loss: they go first, so that a broken old version cannot block the rollout.
  let cleaned = 0;
  for (const draft of active) {
    const unhealthy = draft.replicas - (draft.set.status.availableReplicas ?? 0);
    const count = Math.min(most - cleaned, unhealthy);
    if (count <= 0) continue;
    resize(draft, draft.replicas - count, deployment);
    cleaned += count;
  }
  const spare = availableReplicas(all) - minAvailable;
  let stopped = 0;
  for (const draft of active) {
    if (stopped >= spare) break;
    const count = Math.min(draft.replicas, spare - stopped);
    resize(draft, draft.replicas - count, deployment);
    stopped += count;
  }
  return cleaned + stopped > 0;
}

/** Recreate: takes all old ReplicaSets to zero; whether there was anything to take. */
export function stopOld(deployment: Deployment, old: readonly Draft[]): boolean {
  const active = old.filter(isActive);
  for (const draft of active) resize(draft, 0, deployment);
  return active.length > 0;
}

/** Recreate: gives the new ReplicaSet its full size. */
export function startNew(deployment: Deployment, newest: Draft): void {
  resize(newest, desiredReplicas(deployment), deployment);
}

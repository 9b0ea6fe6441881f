/** Deployment arithmetic on drafts: copies of ReplicaSets on which a plan is tried before anything is written. */
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { scaledValue } from '../../apimachinery/int-or-string.ts';
import { parseTime } from '../../apimachinery/time.ts';

export const POD_TEMPLATE_HASH = 'pod-template-hash';

/** A ReplicaSet as it is and as it shall become. */
export interface Draft {
  readonly set: ReplicaSet;
  /** Not created yet: `set` is what to create. */
  readonly isNew: boolean;
  replicas: number;
  annotations: Record<string, string>;
  minReadySeconds: number;
}

/** A draft of `set` with nothing changed. */
export function draftOf(set: ReplicaSet, isNew = false): Draft {
  return {
    set,
    isNew,
    replicas: set.spec.replicas ?? 0,
    annotations: { ...set.metadata.annotations },
    minReadySeconds: set.spec.minReadySeconds ?? 0,
  };
}

export const desiredReplicas = (deployment: Deployment): number => deployment.spec.replicas ?? 1;

export const isRollingUpdate = (deployment: Deployment): boolean =>
  (deployment.spec.strategy.type ?? 'RollingUpdate') === 'RollingUpdate';

/** Surge is rounded up, unavailability down; should both come out as zero, one may be unavailable. */
function fenceposts(deployment: Deployment): { surge: number; unavailable: number } {
  const { maxSurge = 0, maxUnavailable = 0 } = deployment.spec.strategy.rollingUpdate ?? {};
  const replicas = desiredReplicas(deployment);
  const surge = scaledValue(maxSurge, replicas, true);
  const unavailable = scaledValue(maxUnavailable, replicas, false);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** How many Pods beyond the wanted number a rollout may have. */
export function maxSurge(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? fenceposts(deployment).surge : 0;
}

/** How many Pods below the wanted number a rollout may have available. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = desiredReplicas(deployment);
  if (!isRollingUpdate(deployment) || replicas === 0) return 0;
  return Math.min(fenceposts(deployment).unavailable, replicas);
}

export const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0);

/** The Pods asked for by all drafts together. */
export const draftedReplicas = (drafts: readonly Draft[]): number => sum(drafts, ({ replicas }) => replicas);

/** The Pods there are, as the ReplicaSets report them. */
export const actualReplicas = (drafts: readonly Draft[]): number => sum(drafts, ({ set }) => set.status.replicas);

export const availableReplicas = (drafts: readonly Draft[]): number =>
  sum(drafts, ({ set }) => set.status.availableReplicas ?? 0);

export const isActive = ({ replicas }: Draft): boolean => replicas > 0;

/** Older first; sets of one second by name. */
export function byAge(a: Draft, b: Draft): number {
  const age = createdAt(a) - createdAt(b);
  if (age !== 0) return age;
  return a.set.metadata.name < b.set.metadata.name ? -1 : 1;
}

function createdAt({ set, isNew }: Draft): number {
  return isNew ? Number.MAX_SAFE_INTEGER : (parseTime(set.metadata.creationTimestamp) ?? 0);
}

/** Larger first; among equals older first when `first` is `older`. */
export const bySize =
  (first: 'older' | 'newer') =>
  (a: Draft, b: Draft): number =>
    b.replicas - a.replicas || (first === 'older' ? byAge(a, b) : byAge(b, a));

/** Whether `set` was made from the Deployment's present template. */
export function hasTemplateOf(set: ReplicaSet, deployment: Deployment): boolean {
  return semanticEqual(withoutHash(set.spec.template), withoutHash(deployment.spec.template));
}

function withoutHash(template: ReplicaSet['spec']['template']): object | undefined {
  if (template === undefined) return undefined;
  const { [POD_TEMPLATE_HASH]: _, ...labels } = template.metadata.labels ?? {};
  const { creationTimestamp: __, ...metadata } = template.metadata;
  return { spec: template.spec, metadata: { ...metadata, labels } };
}

/** How large the new ReplicaSet may be now, next to all `drafts` (which include it). */
export function newReplicaSetSize(deployment: Deployment, drafts: readonly Draft[], current: number): number {
  const replicas = desiredReplicas(deployment);
  if (!isRollingUpdate(deployment)) return replicas;
  const room = replicas + maxSurge(deployment) - draftedReplicas(drafts);
  return room <= 0 ? current : current + Math.min(room, replicas - current);
}

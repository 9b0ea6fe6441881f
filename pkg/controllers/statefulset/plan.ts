/** What a StatefulSet calls for next: pure, from what is seen to what should be done. */
import type { StatefulSet, StatefulSetStatus } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { scaledValue } from '../../apimachinery/int-or-string.ts';
import { isBeingDeleted } from '../../apimachinery/object-meta.ts';
import { availableIn, earliest, isPodReady, isPodTerminal } from '../pod-state.ts';
import { desiredReplicas, hasIdentity, isInRange, ordinalOf, REVISION_LABEL, startOrdinal } from './identity.ts';

export interface StatefulSetView {
  readonly set: StatefulSet;
  /** The Pods that belong to the set. */
  readonly pods: readonly Pod[];
  /** The names of the revision the set comes from and of the one it goes to. */
  readonly current: string;
  readonly update: string;
  /** Milliseconds for which a failed Pod of this name is left alone. */
  readonly backoff: (podName: string) => number;
}

export interface PodOrder {
  readonly ordinal: number;
  /** The name of the revision it is made from. */
  readonly revision: string;
}

export interface StatefulSetPlan {
  readonly creates: readonly PodOrder[];
  readonly deletes: readonly Pod[];
  /** Pods that have lost the labels of their place. */
  readonly repairs: readonly Pod[];
  /** Pods that wait: perhaps for a claim that is missing. */
  readonly pending: readonly Pod[];
  readonly status: StatefulSetStatus;
  /** Milliseconds after which time alone changes the plan. */
  readonly again: number | undefined;
}

/** One place of the row, with the Pod that is there. */
interface Place {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

const isGoing = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

const runsReady = (pod: Pod): boolean => pod.status.phase === 'Running' && isPodReady(pod);

const isHealthy = (pod: Pod | undefined): boolean => pod !== undefined && runsReady(pod) && !isGoing(pod);

const revisionOf = (pod: Pod): string => pod.metadata.labels?.[REVISION_LABEL] ?? '';

/** The plan for `view` at `now` (milliseconds). Mirrors upstream's defaultStatefulSetControl, one sync at a time. */
export function planStatefulSet(view: StatefulSetView, now: number): StatefulSetPlan {
  const { set, pods } = view;
  const start = startOrdinal(set);
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const places: Place[] = Array.from({ length: desiredReplicas(set) }, (_, index) => ({
    ordinal: start + index,
    pod: byOrdinal.get(start + index),
  }));
  const condemned = [...byOrdinal]
    .filter((entry): entry is [number, Pod] => entry[0] !== undefined && !isInRange(set, entry[0]))
    .sort(([a], [b]) => b - a)
    .map(([, pod]) => pod);
  const ordered = set.spec.podManagementPolicy !== 'Parallel';
  const base = {
    creates: [] as readonly PodOrder[],
    deletes: [] as readonly Pod[],
    repairs: [] as readonly Pod[],
    pending: pods.filter((pod) => pod.status.phase === 'Pending' && !isGoing(pod)),
    status: statusOf(view, now),
    again: earliest([untilAvailable(view, now), ...pods.map((pod) => failedFor(view, pod))]),
  };
  if (isBeingDeleted(set)) return base;
  const filled = ordered ? fillInOrder(view, places, now) : fillAtOnce(view, places);
  const repairs = places
    .filter(({ pod, ordinal }) => pod !== undefined && !isGoing(pod) && !hasIdentity(set, pod, ordinal))
    .flatMap(({ pod }) => (pod === undefined ? [] : [pod]));
  if (filled.blocks) return { ...base, ...filled, repairs };
  const shrunk = ordered ? shrinkInOrder(view, places, condemned, now) : condemned.filter((pod) => !isGoing(pod));
  const rests = filled.creates.length + filled.deletes.length + shrunk.length === 0;
  const waits = ordered && condemned.length > 0;
  const outdated = rests && !waits ? rollingUpdate(view, places, now) : [];
  return { ...base, creates: filled.creates, deletes: [...filled.deletes, ...shrunk, ...outdated], repairs };
}

/** Nothing more may be done in this round, when `blocks`. */
type Filling = Pick<StatefulSetPlan, 'creates' | 'deletes'> & { readonly blocks: boolean };
const FULL: Filling = { creates: [], deletes: [], blocks: false };

/** How long the failed `pod` is still left alone (milliseconds); undefined when it is not. */
function failedFor(view: StatefulSetView, pod: Pod): number | undefined {
  const wait = pod.status.phase === 'Failed' && !isGoing(pod) ? view.backoff(pod.metadata.name) : 0;
  return wait > 0 ? wait : undefined;
}

/** Whether `pod` has ended and makes room for another now. */
function isReplaced(view: StatefulSetView, pod: Pod): boolean {
  return isPodTerminal(pod) && !isGoing(pod) && failedFor(view, pod) === undefined;
}

/** One after the other: the first place that is not filled by an available Pod holds up all others. */
function fillInOrder(view: StatefulSetView, places: readonly Place[], now: number): Filling {
  for (const { ordinal, pod } of places) {
    if (pod === undefined) return { ...FULL, creates: [orderFor(view, ordinal)], blocks: true };
    if (isPodTerminal(pod)) return { ...FULL, deletes: isReplaced(view, pod) ? [pod] : [], blocks: true };
    if (isGoing(pod) || !isAvailable(pod, view.set, now)) return { ...FULL, blocks: true };
  }
  return FULL;
}

/** All at a time; ended Pods are cleared away first. */
function fillAtOnce(view: StatefulSetView, places: readonly Place[]): Filling {
  const deletes = places.flatMap(({ pod }) => (pod !== undefined && isReplaced(view, pod) ? [pod] : []));
  const empty = places.filter(({ pod }) => pod === undefined);
  const blocks = places.some(({ pod }) => pod !== undefined && isPodTerminal(pod));
  return { creates: empty.map(({ ordinal }) => orderFor(view, ordinal)), deletes, blocks };
}

/** Below the partition a Pod is made from the revision the set comes from. */
function orderFor({ set, current, update }: StatefulSetView, ordinal: number): PodOrder {
  const { type = 'RollingUpdate', rollingUpdate } = set.spec.updateStrategy ?? {};
  const kept = rollingUpdate === undefined ? (set.status.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0);
  const isKept = type === 'RollingUpdate' && ordinal < startOrdinal(set) + kept;
  return { ordinal, revision: isKept ? current : update };
}

/** The last one first, and only while all that stay are healthy, or it is itself what ails. */
function shrinkInOrder(view: StatefulSetView, places: readonly Place[], condemned: readonly Pod[], now: number): Pod[] {
  const [last] = condemned;
  if (last === undefined || isGoing(last)) return [];
  const sick = [...places.map(({ pod }) => pod), ...condemned.toReversed()].find((pod) => !isHealthy(pod));
  return isAvailable(last, view.set, now) || sick === last ? [last] : [];
}

/** The Pods to replace now, from the last down to the partition. */
function rollingUpdate({ set, update }: StatefulSetView, places: readonly Place[], now: number): Pod[] {
  const { type = 'RollingUpdate', rollingUpdate: options } = set.spec.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return [];
  const candidates = places.slice(options?.partition ?? 0).toReversed();
  const isOutdated = (pod: Pod): boolean => revisionOf(pod) !== update && !isGoing(pod);
  if (options?.maxUnavailable === undefined) {
    for (const { pod } of candidates) {
      if (pod !== undefined && isOutdated(pod)) return [pod];
      if (!isHealthy(pod)) return [];
    }
    return [];
  }
  const limit = Math.max(1, scaledValue(options.maxUnavailable, places.length, true));
  const unavailable = places.filter(({ pod }) => pod === undefined || isGoing(pod) || !isAvailable(pod, set, now));
  const outdated = candidates.flatMap(({ pod }) => (pod !== undefined && isOutdated(pod) ? [pod] : []));
  return outdated.slice(0, Math.max(0, limit - unavailable.length));
}

function isAvailable(pod: Pod, set: StatefulSet, now: number): boolean {
  return runsReady(pod) && availableIn(pod, set.spec.minReadySeconds ?? 0, now) === 0;
}

function statusOf({ set, pods, current, update }: StatefulSetView, now: number): StatefulSetStatus {
  const count = (which: (pod: Pod) => boolean): number => pods.filter(which).length;
  const ready = count(runsReady);
  const replicas = pods.length;
  const updated = count((pod) => !isGoing(pod) && revisionOf(pod) === update);
  const desired = desiredReplicas(set);
  const rolls = (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
  const isComplete = rolls && updated === desired && ready === desired && replicas === desired;
  const kept = isComplete ? updated : count((pod) => !isGoing(pod) && revisionOf(pod) === current);
  return {
    observedGeneration: set.metadata.generation,
    replicas,
    ...(ready > 0 && { readyReplicas: ready }),
    ...(kept > 0 && { currentReplicas: kept }),
    ...(updated > 0 && { updatedReplicas: updated }),
    currentRevision: isComplete ? update : current,
    updateRevision: update,
    collisionCount: set.status.collisionCount ?? 0,
    ...(set.status.conditions !== undefined && { conditions: set.status.conditions }),
    availableReplicas: count((pod) => isAvailable(pod, set, now)),
  };
}

function untilAvailable({ set, pods }: StatefulSetView, now: number): number | undefined {
  let least: number | undefined;
  for (const pod of pods) {
    const wait = availableIn(pod, set.spec.minReadySeconds ?? 0, now);
    if (wait !== undefined && wait > 0) least = Math.min(least ?? wait, wait);
  }
  return least;
}

/** What a DaemonSet calls for next: pure, from what is seen to what should be done. */
import type { DaemonSet, DaemonSetStatus } from '../../api/generated/apps-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { scaledValue } from '../../apimachinery/int-or-string.ts';
import { availableIn, earliest, isPodReady, isPodTerminal } from '../pod-state.ts';
import { type Placement, placementOf, REVISION_HASH, targetNode } from './daemon-pod.ts';

/** The most Pods created or deleted in one round. */
const BURST = 250;

export interface DaemonSetView {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  /** The Pods that belong to the set. */
  readonly pods: readonly Pod[];
  /** The hash of the present template. */
  readonly hash: string;
  /** Milliseconds for which a failed Pod on this node is left alone, so as not to fight with its kubelet. */
  readonly backoff: (nodeName: string) => number;
}

export interface DaemonSetPlan {
  /** The names of the nodes that get a Pod. */
  readonly creates: readonly string[];
  readonly deletes: readonly Pod[];
  /** Ended Pods among `deletes`, to be told of. */
  readonly ended: readonly Pod[];
  readonly status: DaemonSetStatus;
  /** Milliseconds after which time alone changes the plan. */
  readonly again: number | undefined;
}

/** One node with what the set wants of it and has on it. */
interface Site {
  readonly name: string;
  readonly placement: Placement;
  /** Oldest first; bound ones before others. */
  readonly pods: readonly Pod[];
}

/** The plan for `view` at `now` (milliseconds). Mirrors upstream's daemonset controller, one sync at a time. */
export function planDaemonSet(view: DaemonSetView, now: number): DaemonSetPlan {
  const { set } = view;
  const sites = sitesOf(view);
  const status = statusOf(view, sites, now);
  const managed = manage(view, sites, now);
  const rests = managed.creates.length + managed.deletes.length === 0;
  const rolls = rests && (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
  const step = rolls ? { ...managed, ...rollingUpdate(view, sites, now) } : managed;
  return {
    creates: step.creates.slice(0, BURST),
    deletes: step.deletes.slice(0, BURST),
    ended: managed.ended,
    status,
    again: earliest([managed.again, untilAvailable(view, now)]),
  };
}

function sitesOf({ set, nodes, pods }: DaemonSetView): Site[] {
  const placement = placementOf(set);
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    // One that is ended and being deleted takes no place.
    if (isPodTerminal(pod) && pod.metadata.deletionTimestamp !== undefined) continue;
    const name = targetNode(pod) ?? '';
    byNode.set(name, [...(byNode.get(name) ?? []), pod]);
  }
  return nodes.map((node) => ({
    name: node.metadata.name,
    placement: placement(node),
    pods: (byNode.get(node.metadata.name) ?? []).sort(byAge),
  }));
}

function byAge(a: Pod, b: Pod): number {
  const bound = Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName));
  if (bound !== 0) return bound;
  const [first, second] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (first !== second) return first < second ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

const isUpdated = (pod: Pod, hash: string): boolean => pod.metadata.labels?.[REVISION_HASH] === hash;

const isAvailable = (pod: Pod, set: DaemonSet, now: number): boolean =>
  availableIn(pod, set.spec.minReadySeconds ?? 0, now) === 0;

const isGoing = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

type Step = Pick<DaemonSetPlan, 'creates' | 'deletes'>;

/** A Pod on each node that should have one, and none elsewhere. */
function manage(
  view: DaemonSetView,
  sites: readonly Site[],
  now: number,
): Step & Pick<DaemonSetPlan, 'ended' | 'again'> {
  const creates: string[] = [];
  const deletes: Pod[] = [];
  const ended: Pod[] = [];
  const waits: number[] = [];
  for (const { name, placement, pods } of sites) {
    if (placement.shouldRun && pods.length === 0) creates.push(name);
    else if (!placement.mayStay) deletes.push(...pods.filter((pod) => !isGoing(pod)));
    else {
      const running: Pod[] = [];
      for (const pod of pods) {
        if (isGoing(pod)) continue;
        if (!isPodTerminal(pod)) {
          running.push(pod);
          continue;
        }
        const wait = pod.status.phase === 'Failed' ? view.backoff(name) : 0;
        if (wait > 0) waits.push(wait);
        else ended.push(pod);
      }
      deletes.push(...surplus(view, running, now));
    }
  }
  deletes.push(...ended, ...strays(view));
  return { creates, deletes, ended, again: earliest(waits) };
}

/** All but the oldest; with surge a new Pod may stand beside an old one until it can take over. */
function surplus({ set, hash }: DaemonSetView, running: readonly Pod[], now: number): Pod[] {
  if (running.length <= 1) return [];
  if (surgeOf(set, 1) === 0) return running.slice(1);
  const oldestNew = running.find((pod) => isUpdated(pod, hash));
  const oldestOld = running.find((pod) => !isUpdated(pod, hash));
  const rest = running.filter((pod) => pod !== oldestNew && pod !== oldestOld);
  if (oldestNew === undefined || oldestOld === undefined) return rest;
  return !isPodReady(oldestOld) || isAvailable(oldestNew, set, now) ? [...rest, oldestOld] : rest;
}

/** Pods waiting for a node that is gone; no scheduler will ever bind them. */
function strays({ nodes, pods }: DaemonSetView): Pod[] {
  const known = new Set(nodes.map(({ metadata }) => metadata.name));
  return pods.filter((pod) => !pod.spec.nodeName && !isGoing(pod) && !known.has(targetNode(pod) ?? ''));
}

/** Replaces Pods of older templates, as many at a time as the strategy allows. */
function rollingUpdate({ set, hash }: DaemonSetView, sites: readonly Site[], now: number): Step {
  const concerned = sites.filter(({ placement, pods }) => placement.shouldRun || pods.length > 0);
  const desired = sites.filter(({ placement }) => placement.shouldRun).length;
  const maxSurge = surgeOf(set, desired);
  let maxUnavailable = scaledValue(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 0, desired, true);
  if (desired > 0 && maxUnavailable === 0 && maxSurge === 0) maxUnavailable = 1;
  const pairs = concerned.map((site) => ({ site, ...pairOf(site, hash) }));
  return maxSurge === 0 ? deleteOld(set, pairs, maxUnavailable, now) : surge(set, pairs, maxSurge, now);
}

interface Pair {
  readonly site: Site;
  readonly updated: Pod | undefined;
  readonly old: Pod | undefined;
  /** More than one of a kind: cleaning up comes first. */
  readonly muddled: boolean;
}

function pairOf({ pods }: Site, hash: string): Omit<Pair, 'site'> {
  const staying = pods.filter((pod) => !isGoing(pod));
  const updated = staying.filter((pod) => isUpdated(pod, hash));
  const old = staying.filter((pod) => !isUpdated(pod, hash));
  return { updated: updated[0], old: old[0], muddled: updated.length > 1 || old.length > 1 };
}

function deleteOld(set: DaemonSet, pairs: readonly Pair[], maxUnavailable: number, now: number): Step {
  let unavailable = 0;
  const broken: Pod[] = [];
  const candidates: Pod[] = [];
  for (const { updated, old, muddled } of pairs) {
    if (muddled || (updated === undefined) === (old === undefined)) unavailable++;
    else if (old === undefined) unavailable += updated !== undefined && isAvailable(updated, set, now) ? 0 : 1;
    else if (isAvailable(old, set, now)) candidates.push(old);
    else {
      // Nothing is lost by replacing it.
      broken.push(old);
      unavailable++;
    }
  }
  return { creates: [], deletes: [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))] };
}

function surge(set: DaemonSet, pairs: readonly Pair[], maxSurge: number, now: number): Step {
  let surging = 0;
  const deletes: Pod[] = [];
  const needed: string[] = [];
  const candidates: string[] = [];
  for (const { site, updated, old, muddled } of pairs) {
    if (muddled) surging++;
    else if (old === undefined) continue;
    else if (updated === undefined) (isAvailable(old, set, now) ? candidates : needed).push(site.name);
    else if (isAvailable(updated, set, now)) deletes.push(old);
    else surging++;
  }
  return { creates: [...needed, ...candidates.slice(0, Math.max(0, maxSurge - surging))], deletes };
}

function surgeOf(set: DaemonSet, desired: number): number {
  const { type = 'RollingUpdate', rollingUpdate } = set.spec.updateStrategy ?? {};
  return type === 'RollingUpdate' ? scaledValue(rollingUpdate?.maxSurge ?? 0, desired, true) : 0;
}

function statusOf({ set, hash }: DaemonSetView, sites: readonly Site[], now: number): DaemonSetStatus {
  let desired = 0;
  let current = 0;
  let misscheduled = 0;
  let ready = 0;
  let available = 0;
  let updated = 0;
  for (const { placement, pods } of sites) {
    const [pod] = pods;
    if (!placement.shouldRun) {
      if (pod !== undefined) misscheduled++;
      continue;
    }
    desired++;
    if (pod === undefined) continue;
    current++;
    if (isPodReady(pod)) ready++;
    if (isAvailable(pod, set, now)) available++;
    if (isUpdated(pod, hash)) updated++;
  }
  const { collisionCount, conditions } = set.status;
  return {
    currentNumberScheduled: current,
    numberMisscheduled: misscheduled,
    desiredNumberScheduled: desired,
    numberReady: ready,
    observedGeneration: set.metadata.generation,
    ...(updated > 0 && { updatedNumberScheduled: updated }),
    ...(available > 0 && { numberAvailable: available }),
    ...(desired > available && { numberUnavailable: desired - available }),
    ...(collisionCount !== undefined && { collisionCount }),
    ...(conditions !== undefined && { conditions }),
  };
}

function untilAvailable({ set, pods }: DaemonSetView, now: number): number | undefined {
  const waits = pods.map((pod) => availableIn(pod, set.spec.minReadySeconds ?? 0, now));
  return earliest(waits.filter((wait) => wait !== 0));
}

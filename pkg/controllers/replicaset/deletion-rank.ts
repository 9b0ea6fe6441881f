/** Which Pods a shrinking ReplicaSet gives up first (upstream's ActivePodsWithRanks). */
import type { Pod } from '../../api/generated/core-v1.ts';
import { parseTime } from '../../apimachinery/time.ts';
import { isPodActive, isPodReady, readyTransitionTime } from '../pod-state.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASE_RANK: ReadonlyMap<string, number> = new Map([
  ['Pending', 0],
  ['Unknown', 1],
  ['Running', 2],
]);

/**
 * The `count` Pods of `pods` to delete. `related` are the Pods of all ReplicaSets of the same owner: where they double
 * up on a node, one goes sooner.
 */
export function podsToDelete(pods: readonly Pod[], related: readonly Pod[], count: number, now: number): Pod[] {
  if (count >= pods.length) return [...pods];
  const onNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName ?? '';
    if (isPodActive(pod)) onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const doubled = (pod: Pod): number => onNode.get(pod.spec.nodeName ?? '') ?? 0;
  return [...pods].sort((a, b) => compareForDeletion(a, b, doubled(a), doubled(b), now)).slice(0, count);
}

/** Negative when `a` goes before `b`; `doubledA` and `doubledB` are the related Pods on their nodes. */
function compareForDeletion(a: Pod, b: Pod, doubledA: number, doubledB: number, now: number): number {
  const assigned = Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName));
  if (assigned !== 0) return assigned;
  const phase = phaseRank(a) - phaseRank(b);
  if (phase !== 0) return phase;
  const readyA = isPodReady(a);
  const readyB = isPodReady(b);
  if (readyA !== readyB) return Number(readyA) - Number(readyB);
  const cost = deletionCost(a) - deletionCost(b);
  if (cost !== 0) return cost;
  if (doubledA !== doubledB) return doubledB - doubledA;
  if (readyA) {
    const order = compareAges(a, b, readyTransitionTime(a), readyTransitionTime(b), now);
    if (order !== 0) return order;
  }
  const restartsA = mostRestarts(a);
  const restartsB = mostRestarts(b);
  if (restartsA.regular !== restartsB.regular) return restartsB.regular - restartsA.regular;
  if (restartsA.sidecar !== restartsB.sidecar) return restartsB.sidecar - restartsA.sidecar;
  return compareAges(a, b, parseTime(a.metadata.creationTimestamp), parseTime(b.metadata.creationTimestamp), now);
}

function phaseRank(pod: Pod): number {
  return PHASE_RANK.get(pod.status.phase ?? '') ?? 0;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[DELETION_COST] ?? '';
  return /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

/** Younger first, ages being told apart by powers of two only; equals by uid, which is as good as random. */
function compareAges(a: Pod, b: Pod, timeA: number | undefined, timeB: number | undefined, now: number): number {
  if (timeA === timeB) return 0;
  if (timeA === undefined) return -1;
  if (timeB === undefined) return 1;
  const difference = logAge(timeA, now) - logAge(timeB, now);
  if (difference !== 0) return difference;
  return a.metadata.uid < b.metadata.uid ? -1 : 1;
}

function logAge(time: number, now: number): number {
  const nanoseconds = (now - time) * 1e6;
  return nanoseconds > 0 ? Math.floor(Math.log2(nanoseconds)) : -1;
}

function mostRestarts(pod: Pod): { regular: number; sidecar: number } {
  const sidecars = new Set(
    (pod.spec.initContainers ?? [])
      .filter(({ restartPolicy }) => restartPolicy === 'Always')
      .map((container) => container.name),
  );
  const most = (counts: readonly number[]): number => counts.reduce((a, b) => Math.max(a, b), 0);
  return {
    regular: most((pod.status.containerStatuses ?? []).map(({ restartCount }) => restartCount)),
    sidecar: most(
      (pod.status.initContainerStatuses ?? [])
        .filter(({ name }) => sidecars.has(name))
        .map(({ restartCount }) => restartCount),
    ),
  };
}

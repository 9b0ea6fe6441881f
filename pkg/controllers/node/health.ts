/** What the controllers make of a node's health: conditions when its kubelet is silent, taints, zones; pure. */
import type { Node, NodeCondition, Taint } from '../../api/generated/core-v1.ts';
import { getCondition } from '../../apimachinery/object-meta.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';

/** The taint that goes with a status of a condition. */
const CONDITION_TAINTS: readonly { type: string; status: string; key: string }[] = [
  { type: 'Ready', status: 'False', key: NOT_READY },
  { type: 'Ready', status: 'Unknown', key: UNREACHABLE },
  { type: 'MemoryPressure', status: 'True', key: 'node.kubernetes.io/memory-pressure' },
  { type: 'DiskPressure', status: 'True', key: 'node.kubernetes.io/disk-pressure' },
  { type: 'NetworkUnavailable', status: 'True', key: 'node.kubernetes.io/network-unavailable' },
  { type: 'PIDPressure', status: 'True', key: 'node.kubernetes.io/pid-pressure' },
];
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
const MANAGED_NO_SCHEDULE: ReadonlySet<string> = new Set([UNSCHEDULABLE, ...CONDITION_TAINTS.map(({ key }) => key)]);
const MANAGED_NO_EXECUTE: ReadonlySet<string> = new Set([NOT_READY, UNREACHABLE]);

const WATCHED_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

export const readyStatus = (node: Node): string | undefined => getCondition(node.status.conditions, 'Ready')?.status;

/** The conditions of a node whose kubelet has been silent for too long: everything it reports is unknown. */
export function silentConditions(node: Node, now: string): NodeCondition[] {
  const conditions = [...(node.status.conditions ?? [])];
  for (const type of WATCHED_CONDITIONS) {
    const index = conditions.findIndex((condition) => condition.type === type);
    const old = conditions[index];
    if (old === undefined) {
      conditions.push({
        type,
        status: 'Unknown',
        lastHeartbeatTime: node.metadata.creationTimestamp,
        lastTransitionTime: now,
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
      });
    } else if (old.status !== 'Unknown') {
      const reason = 'NodeStatusUnknown';
      const message = 'Kubelet stopped posting node status.';
      conditions[index] = { ...old, status: 'Unknown', lastTransitionTime: now, reason, message };
    }
  }
  return conditions;
}

/** How far a group of nodes is gone: `full` when none is ready, `partial` when most are not. */
export type ZoneState = 'normal' | 'partial' | 'full';

export function zoneState(nodes: readonly Node[]): ZoneState {
  const notReady = nodes.filter((node) => readyStatus(node) !== 'True').length;
  if (notReady === nodes.length && notReady > 0) return 'full';
  return notReady > 2 && notReady / nodes.length >= 0.55 ? 'partial' : 'normal';
}

/**
 * What to do about evictions from nodes that are not ready: `evict` taints them; `hold` leaves things as they are (most
 * of a small cluster is gone: it is the network, not the nodes); `stop` takes the taints back (everything is gone).
 */
export type EvictionMode = 'evict' | 'hold' | 'stop';

/** Up to this many nodes a partial disruption stops evictions altogether. */
const SMALL_CLUSTER = 50;

/** Upstream's --node-eviction-rate and --secondary-node-eviction-rate: nodes of a zone per second. */
const EVICTION_RATE = 0.1;
const DISRUPTED_EVICTION_RATE = 0.01;

export interface EvictionPlan {
  readonly mode: EvictionMode;
  readonly zone: string;
  /** How many nodes of the zone may be emptied. */
  readonly perSecond: number;
}

/** What the state of all nodes means for one that is not ready. */
export function planEviction(node: Node, all: readonly Node[]): EvictionPlan {
  const zoneOf = ({ metadata: { labels } }: Node): string =>
    `${labels?.['topology.kubernetes.io/region'] ?? ''}:${labels?.['topology.kubernetes.io/zone'] ?? ''}`;
  const zone = zoneOf(node);
  const zones = Map.groupBy(all, zoneOf);
  if ([...zones.values()].every((members) => zoneState(members) === 'full')) {
    return { mode: 'stop', zone, perSecond: 0 };
  }
  const members = zones.get(zone) ?? [];
  if (zoneState(members) !== 'partial') return { mode: 'evict', zone, perSecond: EVICTION_RATE };
  return members.length <= SMALL_CLUSTER
    ? { mode: 'hold', zone, perSecond: 0 }
    : { mode: 'evict', zone, perSecond: DISRUPTED_EVICTION_RATE };
}

/** Whether the node's Pods are to go by now: it has the taint for that, whichever of the two. */
export function isEvicting(node: Node): boolean {
  return (node.spec.taints ?? []).some(({ key, effect }) => effect === 'NoExecute' && MANAGED_NO_EXECUTE.has(key));
}

/** The node's taints as its conditions call for them; undefined when they are so already. `now` is a formatted time. */
export function plannedTaints(node: Node, mode: EvictionMode, now: string): Taint[] | undefined {
  const old = node.spec.taints ?? [];
  const wanted: { key: string; effect: string }[] = [];
  for (const { type, status, key } of CONDITION_TAINTS) {
    if (getCondition(node.status.conditions, type)?.status === status) wanted.push({ key, effect: 'NoSchedule' });
  }
  if (node.spec.unschedulable) wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
  const ready = readyStatus(node);
  const evicting = ready === 'False' ? NOT_READY : ready === 'Unknown' ? UNREACHABLE : undefined;
  if (evicting !== undefined && mode !== 'stop') {
    if (mode === 'evict' || isEvicting(node)) wanted.push({ key: evicting, effect: 'NoExecute' });
  }
  const isWanted = (taint: Taint): boolean =>
    wanted.some(({ key, effect }) => key === taint.key && effect === taint.effect);
  const isManaged = ({ key, effect }: Taint): boolean =>
    (effect === 'NoSchedule' && MANAGED_NO_SCHEDULE.has(key)) ||
    (effect === 'NoExecute' && MANAGED_NO_EXECUTE.has(key));
  const kept = old.filter((taint) => !isManaged(taint) || isWanted(taint));
  const added = wanted
    .filter(({ key, effect }) => !old.some((taint) => taint.key === key && taint.effect === effect))
    .map(({ key, effect }) => ({ key, effect, timeAdded: now }));
  return added.length === 0 && kept.length === old.length ? undefined : [...kept, ...added];
}

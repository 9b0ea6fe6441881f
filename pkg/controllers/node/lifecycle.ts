/** Upstream's node-lifecycle-controller: notices silent kubelets and taints nodes by their conditions. */
import type { Lease } from '../../api/generated/coordination-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { leases, nodes, pods } from '../../api/resources.ts';
import { getCondition } from '../../apimachinery/object-meta.ts';
import { type ObjectRef, referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';
import type { Component } from '../../base/component.ts';
import { type ControllerContext, createController, watch } from '../controller.ts';
import { isPodReady } from '../pod-state.ts';
import { EvictionPace } from './eviction-pace.ts';
import { isEvicting, planEviction, plannedTaints, readyStatus, silentConditions } from './health.ts';

const WORKERS = 4;
const LEASE_NAMESPACE = 'kube-node-lease';
/** Upstream's --node-monitor-grace-period since 1.32. */
const GRACE_MS = 50_000;
/** Upstream's --node-startup-grace-period: for kubelets that have not reported yet. */
const STARTUP_GRACE_MS = 60_000;

export interface NodeLifecycleOptions {
  /** How long a kubelet may be silent, in milliseconds. */
  readonly gracePeriod?: number;
}

interface Health {
  /** When a sign of life was last seen, by this process's clock: the node's own may be off. */
  seenAt: number;
  renewTime: string | undefined;
  heartbeat: string | undefined;
  /** What Ready was when last reconciled. */
  ready: string | undefined;
}

export function createNodeLifecycleController(
  context: ControllerContext,
  { gracePeriod = GRACE_MS }: NodeLifecycleOptions = {},
): Component {
  const { client, clock, recorder } = context;
  const nodeInformer = client.informer(nodes);
  const podInformer = client.informer(pods);
  const leaseInformer = client.informer(leases, { namespace: LEASE_NAMESPACE });
  const health = new Map<string, Health>();
  const pace = new EvictionPace();

  function healthOf(name: string): Health {
    let known = health.get(name);
    if (known === undefined) {
      known = { seenAt: clock.now(), renewTime: undefined, heartbeat: undefined, ready: undefined };
      health.set(name, known);
    }
    return known;
  }

  function onLease({ metadata, spec }: Lease): void {
    if (metadata.namespace !== LEASE_NAMESPACE) return;
    const known = healthOf(metadata.name);
    if (known.renewTime !== spec.renewTime) known.seenAt = clock.now();
    known.renewTime = spec.renewTime;
  }

  function onNode(node: Node): void {
    const known = healthOf(node.metadata.name);
    const heartbeat = getCondition(node.status.conditions, 'Ready')?.lastHeartbeatTime ?? undefined;
    if (known.heartbeat !== heartbeat) known.seenAt = clock.now();
    known.heartbeat = heartbeat;
  }

  async function reconcile(name: string): Promise<number | undefined> {
    let node = nodeInformer.get(name);
    if (node === undefined) return undefined;
    const known = healthOf(name);
    const left = silenceAllowed(node, known);
    if (left <= 0 && hasNewsToLose(node)) {
      const status = { ...node.status, conditions: silentConditions(node, formatTime(clock.now())) };
      node = await client.update(nodes, { ...node, status }, { subresource: 'status' });
    }
    const waiting = await applyTaints(node);
    const ready = readyStatus(node);
    // A kubelet that reports itself not ready goes on reporting its Pods: only the change is passed on to them.
    if (ready === 'Unknown' || (ready !== 'True' && known.ready === 'True')) await markPodsNotReady(name);
    if (ready !== 'True' && known.ready === 'True') {
      recorder.event(referenceTo(nodes, node), 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    }
    known.ready = ready;
    const next = Math.min(
      left > 0 ? left + 1 : Number.POSITIVE_INFINITY,
      waiting > 0 ? waiting : Number.POSITIVE_INFINITY,
    );
    return Number.isFinite(next) ? next : undefined;
  }

  /** Brings the node's taints in line; resolves to the milliseconds after which it may be emptied, 0 where none are to pass. */
  async function applyTaints(node: Node): Promise<number> {
    const all = nodeInformer.list().map((other) => (other.metadata.name === node.metadata.name ? node : other));
    const { mode, zone, perSecond } = planEviction(node, all);
    const now = clock.now();
    const isNew = mode === 'evict' && readyStatus(node) !== 'True' && !isEvicting(node);
    const waiting = isNew ? pace.take(zone, node.metadata.name, perSecond, now) : 0;
    const taints = plannedTaints(node, waiting > 0 ? 'hold' : mode, formatTime(now));
    if (taints !== undefined) await client.update(nodes, { ...node, spec: { ...node.spec, taints } });
    return waiting;
  }

  /** Milliseconds of silence the kubelet still has; 0 when it has had them all. */
  function silenceAllowed(node: Node, { seenAt }: Health): number {
    const created = parseTime(node.metadata.creationTimestamp) ?? 0;
    const reported = getCondition(node.status.conditions, 'Ready') !== undefined;
    const end = reported ? seenAt + gracePeriod : Math.max(created + STARTUP_GRACE_MS, seenAt);
    return Math.max(0, end - clock.now());
  }

  async function markPodsNotReady(nodeName: string): Promise<void> {
    for (const pod of podInformer.list()) {
      if (pod.spec.nodeName === nodeName && isPodReady(pod)) await markNotReady(pod);
    }
  }

  async function markNotReady(pod: Pod): Promise<void> {
    const { name, namespace = '' } = pod.metadata;
    const lastTransitionTime = formatTime(clock.now());
    const conditions = (pod.status.conditions ?? []).map((condition) =>
      condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime } : condition,
    );
    recorder.event(referenceTo(pods, pod), 'Warning', 'NodeNotReady', 'Node is not ready');
    try {
      await client.update(pods, { ...pod, status: { ...pod.status, conditions } }, { subresource: 'status' });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound'))
        throw new Error(`cannot mark pod ${namespace}/${name} not ready`, { cause: error });
    }
  }

  function tellOfNode(node: Node, reason: string, what: string): void {
    const { name, uid } = node.metadata;
    const about: ObjectRef = { apiVersion: 'v1', kind: 'Node', name, uid };
    recorder.event(about, 'Normal', reason, `Node ${name} event: ${what}`);
  }

  return createController(
    {
      name: 'node-lifecycle-controller',
      workers: WORKERS,
      watches: [
        watch(nodeInformer, (event, queue) => {
          const node = event.object;
          const { name } = node.metadata;
          if (event.type === 'deleted') {
            health.delete(name);
            tellOfNode(node, 'RemovingNode', `Removing Node ${name} from Controller`);
          } else {
            onNode(node);
            if (event.type === 'added') tellOfNode(node, 'RegisteredNode', `Registered Node ${name} in Controller`);
          }
          queue.add(name);
          // Whether nodes are emptied depends on how many others are well.
          if (event.type === 'modified' && readyStatus(event.old) === readyStatus(node)) return;
          for (const other of nodeInformer.list()) queue.add(other.metadata.name);
        }),
        // Renewals move the time at which a node is looked at next; they are no reason to look now.
        watch(leaseInformer, ({ type, object }) => {
          if (type !== 'deleted') onLease(object);
        }),
      ],
      reconcile,
    },
    context,
  );
}

/** Whether the node's conditions still claim anything. */
function hasNewsToLose(node: Node): boolean {
  return silentConditions(node, '').some((condition, index) => condition !== node.status.conditions?.[index]);
}

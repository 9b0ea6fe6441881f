/** The scheduler: takes Pods from the queue one by one, decides at once in memory, binds in the background. */
import type { Node, Pod } from '../api/generated/core-v1.ts';
import { nodes, pods } from '../api/resources.ts';
import type { KubeObject, ResourceType } from '../api/types.ts';
import { deepEqual } from '../apimachinery/deep-equal.ts';
import { getCondition } from '../apimachinery/object-meta.ts';
import { referenceTo } from '../apimachinery/object-reference.ts';
import type { Random } from '../apimachinery/random-name.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { Clock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/events.ts';
import type { InformerEvent } from '../client/informer.ts';
import { NodeCache } from './cache.ts';
import { fitMessage } from './fit-message.ts';
import type { ClusterEvent, PostFilterResult, WeightedPlugin } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import { defaultPlugins } from './plugins/default-plugins.ts';
import { SchedulingQueue } from './queue.ts';
import { type FilterResult, filterNodes, pickNode, rankNodes } from './schedule-pod.ts';

/** Pods whose `schedulerName` is another are none of ours. */
const SCHEDULER_NAME = 'default-scheduler';
/** So many Pods are decided on before others in the process get their turn. */
const PODS_PER_TURN = 16;

export interface SchedulerOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: EventRecorder;
  readonly random?: Random;
  readonly plugins?: readonly WeightedPlugin[];
}

export function createScheduler(options: SchedulerOptions): Component {
  const { client, clock, log, recorder, random = Math.random } = options;
  const plugins = options.plugins ?? defaultPlugins({ client, clock, recorder, random });
  const cache = new NodeCache();
  const queue = new SchedulingQueue(
    clock,
    plugins.map(({ plugin }) => plugin),
  );
  const binding = new Set<Promise<void>>();
  const stopping = new AbortController();
  const unsubscribers: (() => void)[] = [];
  let synced: Promise<unknown> = Promise.resolve();
  let state: 'syncing' | 'idle' | 'working' | 'stopped' = 'syncing';
  /** Where the next search among many nodes begins. */
  let start = 0;

  function onNode(event: InformerEvent<Node>): void {
    const node = event.object;
    if (event.type === 'deleted') {
      cache.removeNode(node.metadata.name);
      return;
    }
    cache.setNode(node);
    queue.moveOn({ resource: 'node', object: node, ...(event.type === 'modified' && { old: event.old }) });
  }

  function onPod(event: InformerEvent<Pod>): void {
    const pod = event.object;
    const { uid } = pod.metadata;
    const ended = pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
    if (event.type === 'deleted' || ended) {
      queue.remove(uid);
      cache.removePod(uid);
      const wasNominated = cache.nominationOf(uid) !== '';
      cache.nominate(pod, '');
      // Room that was kept for a Pod is free again when it is gone.
      if (pod.spec.nodeName || wasNominated) queue.moveOn({ resource: 'pod', action: 'deleted', object: pod });
      return;
    }
    if (pod.spec.nodeName) {
      queue.remove(uid);
      cache.nominate(pod, '');
      cache.setPod(pod);
      const before = event.type === 'modified' ? event.old : undefined;
      if (before === undefined || !before.spec.nodeName) {
        queue.moveOn({ resource: 'pod', action: 'bound', object: pod });
      } else if (decides(before, pod)) {
        queue.moveOn({ resource: 'pod', action: 'updated', object: pod });
      }
      return;
    }
    if ((pod.spec.schedulerName ?? SCHEDULER_NAME) !== SCHEDULER_NAME || cache.isAssumed(uid)) return;
    const before = event.type === 'modified' ? event.old.status.nominatedNodeName : undefined;
    const nominated = pod.status.nominatedNodeName;
    // What was decided here may not have been written yet: only a change by someone counts.
    if (event.type === 'added' || nominated !== before) cache.nominate(pod, nominated ?? '');
    else cache.nominate(pod, cache.nominationOf(uid));
    queue.upsert(pod, event.type === 'added' || decides(event.old, pod));
  }

  function onOther(type: ResourceType, event: InformerEvent<KubeObject>): void {
    const { type: action, object } = event;
    const change: ClusterEvent = { resource: 'other', type, action, object };
    queue.moveOn(event.type === 'modified' ? { ...change, old: event.old } : change);
  }

  async function work(): Promise<void> {
    if (state !== 'idle') return;
    state = 'working';
    // One event may wake several Pods: they are compared before the first is taken.
    await Promise.resolve();
    let count = 0;
    for (let pod = queue.pop(); pod !== undefined; pod = queue.pop()) {
      schedule(pod);
      if (++count % PODS_PER_TURN === 0) await new Promise(setImmediate);
      if (isStopped()) return;
    }
    state = 'idle';
  }

  const isStopped = (): boolean => state === 'stopped';

  function schedule(pod: Pod): void {
    const { uid, name, namespace } = pod.metadata;
    if (pod.metadata.deletionTimestamp !== undefined) {
      queue.remove(uid);
      tell(pod, 'Warning', 'FailedScheduling', `skip schedule deleting pod: ${namespace}/${name}`);
      return;
    }
    try {
      const result = filterNodes(pod, cache, plugins, start, cache.nominationOf(uid));
      const { feasible, diagnosis } = result;
      start = cache.nodes.length === 0 ? 0 : (start + feasible.length + diagnosis.nodes.size) % cache.nodes.length;
      const node = feasible.length === 1 ? feasible[0] : pickNode(rankNodes(pod, cache, feasible, plugins), random);
      if (node === undefined) refuse(pod, result);
      else assumeAndBind(pod, node);
    } catch (error) {
      fail(pod, error);
    }
  }

  function refuse(pod: Pod, { diagnosis, filters }: FilterResult): void {
    queue.unschedulable(pod.metadata.uid, diagnosis.plugins);
    const outcome = diagnosis.nodeCount === 0 ? undefined : makeRoom(pod, { diagnosis, filters });
    const message = fitMessage(diagnosis, outcome?.message);
    tell(pod, 'Warning', 'FailedScheduling', message);
    if (outcome?.nominatedNodeName !== undefined) cache.nominate(pod, outcome.nominatedNodeName);
    setUnscheduled(pod, 'Unschedulable', message, outcome?.nominatedNodeName);
    if (outcome?.act !== undefined) {
      const acting = outcome.act().catch((error) => {
        log.warn('no room could be made', {
          pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
          error: errorText(error),
        });
        cache.nominate(pod, '');
        queue.failed(pod.metadata.uid);
      });
      inBackground(acting);
    }
  }

  /** Asks the plugins in turn; the first that makes room ends it, and what the others had to say is told together. */
  function makeRoom(pod: Pod, { diagnosis, filters }: Pick<FilterResult, 'diagnosis' | 'filters'>): PostFilterResult {
    const messages: string[] = [];
    let nominatedNodeName: string | undefined;
    for (const { plugin } of plugins) {
      const outcome = plugin.postFilter?.({ pod, cluster: cache, diagnosis, filters });
      if (outcome?.act !== undefined) return outcome;
      if (outcome === undefined) continue;
      if (outcome.message !== '') messages.push(outcome.message);
      nominatedNodeName ??= outcome.nominatedNodeName;
    }
    return { message: messages.join(', '), ...(nominatedNodeName !== undefined && { nominatedNodeName }) };
  }

  function fail(pod: Pod, error: unknown): void {
    const message = errorText(error);
    log.warn('scheduling failed, trying again', {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      error: message,
    });
    queue.failed(pod.metadata.uid);
    tell(pod, 'Warning', 'FailedScheduling', message);
    setUnscheduled(pod, 'SchedulerError', message);
  }

  function assumeAndBind(pod: Pod, node: NodeInfo): void {
    cache.assume(pod, node.name);
    const reserved: WeightedPlugin[] = [];
    const giveBack = (): void => {
      for (const { plugin } of reserved.reverse()) plugin.unreserve?.(pod, node);
      cache.forget(pod.metadata.uid);
    };
    try {
      for (const weighted of plugins) {
        weighted.plugin.reserve?.(pod, node);
        reserved.push(weighted);
      }
    } catch (error) {
      giveBack();
      throw error;
    }
    inBackground(bind(pod, node.name, giveBack));
  }

  async function bind(pod: Pod, nodeName: string, giveBack: () => void): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    try {
      for (const { plugin } of plugins) await plugin.preBind?.(pod, nodeName, stopping.signal);
      const binder = plugins.find(({ plugin }) => plugin.bind !== undefined)?.plugin;
      await binder?.bind?.(pod, nodeName);
      tell(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${nodeName}`);
    } catch (error) {
      giveBack();
      if (isStopped()) return;
      if (isStatusReason(error, 'NotFound')) queue.remove(uid);
      else fail(pod, error);
    }
  }

  function tell(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    recorder.event(referenceTo(pods, pod), type, reason, message);
  }

  /** Notes on the Pod why it has no node; nothing is written when that is known already. */
  function setUnscheduled(pod: Pod, reason: string, message: string, nominatedNodeName?: string): void {
    const old = getCondition(pod.status.conditions, 'PodScheduled');
    const renominated = nominatedNodeName !== undefined && nominatedNodeName !== (pod.status.nominatedNodeName ?? '');
    const known = old?.status === 'False' && old.reason === reason && old.message === message;
    if (known && !renominated) return;
    const now = formatTime(clock.now());
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      lastProbeTime: null,
      lastTransitionTime: old?.status === 'False' ? old.lastTransitionTime : now,
      reason,
      message,
    };
    const { name, namespace = '' } = pod.metadata;
    const nomination = renominated ? { nominatedNodeName: nominatedNodeName || null } : {};
    const body = { status: { conditions: [condition], ...nomination } };
    inBackground(
      client
        .patch(pods, name, { type: 'strategic', body }, { namespace, subresource: 'status' })
        .then(() => {})
        .catch((error) => {
          if (!isStatusReason(error, 'NotFound'))
            log.warn('status not written', { pod: name, error: errorText(error) });
        }),
    );
  }

  function inBackground(job: Promise<void>): void {
    const tracked = job.finally(() => binding.delete(tracked));
    binding.add(tracked);
  }

  return {
    name: 'scheduler',
    async start() {
      const nodeInformer = client.informer(nodes);
      const podInformer = client.informer(pods);
      queue.onActive(() => void work());
      unsubscribers.push(nodeInformer.subscribe(onNode), podInformer.subscribe(onPod));
      const types = new Set(plugins.flatMap(({ plugin }) => plugin.watches ?? []));
      const others = [...types].map((type) => {
        const informer = client.informer(type);
        unsubscribers.push(informer.subscribe((event) => onOther(type, event)));
        return informer;
      });
      synced = Promise.all([nodeInformer, podInformer, ...others].map((informer) => informer.synced())).then(() => {
        if (state !== 'syncing') return undefined;
        state = 'idle';
        return work();
      });
    },
    async ready() {
      await synced;
    },
    async stop() {
      state = 'stopped';
      stopping.abort();
      for (const unsubscribe of unsubscribers) unsubscribe();
      queue.close();
      await Promise.all(binding);
    },
  };
}

/** Whether a change of a Pod may decide where it, or another one, fits: anything but its status. */
function decides(old: Pod, pod: Pod): boolean {
  return !deepEqual(old.spec, pod.spec) || !deepEqual(old.metadata.labels ?? {}, pod.metadata.labels ?? {});
}

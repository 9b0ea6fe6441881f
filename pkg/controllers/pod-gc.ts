/** Upstream's pod-garbage-collector-controller: Pods that nobody else will ever remove. */
import type { Pod } from '../api/generated/core-v1.ts';
import { nodes, pods } from '../api/resources.ts';
import { objectKey, setCondition } from '../apimachinery/object-meta.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { Component } from '../base/component.ts';
import { type ControllerContext, createController, watch } from './controller.ts';
import { isPodTerminal } from './pod-state.ts';

/** Upstream's --terminated-pod-gc-threshold. */
const MOST_TERMINATED = 12_500;
/** So long a node has to be gone before its Pods are. */
const QUARANTINE_MS = 40_000;

export interface PodGCOptions {
  /** How many ended Pods are kept. */
  readonly terminatedThreshold?: number;
}

/** The ended Pods beyond `threshold`, the oldest first; pure. */
export function terminatedBeyond(all: readonly Pod[], threshold: number): Pod[] {
  const ended = all.filter((pod) => isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined);
  if (ended.length <= threshold) return [];
  return ended
    .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
    .slice(0, ended.length - threshold);
}

export function createPodGarbageCollector(
  context: ControllerContext,
  { terminatedThreshold = MOST_TERMINATED }: PodGCOptions = {},
): Component {
  const { client, clock } = context;
  const nodeInformer = client.informer(nodes);
  const podInformer = client.informer(pods);
  const ended = new Set<string>();

  async function remove(pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    try {
      await client.delete(pods, name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  /** Deletes the Pods of a node that is no more; the API is asked, not the informer, before anything is lost. */
  async function removeOrphans(nodeName: string): Promise<void> {
    if (nodeInformer.get(nodeName) !== undefined || (await exists(nodeName))) return;
    for (const pod of podInformer.list()) {
      if (pod.spec.nodeName !== nodeName) continue;
      if (!isPodTerminal(pod)) await markFailed(pod);
      await remove(pod);
    }
  }

  async function exists(nodeName: string): Promise<boolean> {
    try {
      await client.get(nodes, nodeName);
      return true;
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return false;
      throw error;
    }
  }

  /** The Pod's owner has to learn that it ended, and why. */
  async function markFailed(pod: Pod): Promise<void> {
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      lastProbeTime: null,
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
    };
    const conditions = setCondition(pod.status.conditions, condition, formatTime(clock.now()));
    const { name, namespace = '', uid } = pod.metadata;
    const body = { metadata: { uid }, status: { phase: 'Failed', conditions } };
    try {
      await client.patch(pods, name, { type: 'merge', body }, { namespace, subresource: 'status' });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  async function reconcile(key: string): Promise<undefined> {
    const [task, subject = ''] = key.split(' ');
    if (task === 'node') await removeOrphans(subject);
    else if (task === 'unscheduled') {
      const pod = podInformer.list().find(({ metadata }) => metadata.uid === subject);
      if (pod?.metadata.deletionTimestamp !== undefined && !pod.spec.nodeName) await remove(pod);
    } else {
      for (const pod of terminatedBeyond(podInformer.list(), terminatedThreshold)) await remove(pod);
    }
  }

  return createController(
    {
      name: 'pod-garbage-collector-controller',
      workers: 1,
      watches: [
        watch(nodeInformer, ({ type, object }, queue) => {
          if (type === 'deleted') queue.addAfter(`node ${object.metadata.name}`, QUARANTINE_MS);
        }),
        watch(podInformer, ({ type, object: pod }, queue) => {
          const key = objectKey(pod);
          const { nodeName } = pod.spec;
          if (type === 'deleted') {
            ended.delete(key);
            return;
          }
          if (pod.metadata.deletionTimestamp !== undefined && !nodeName) queue.add(`unscheduled ${pod.metadata.uid}`);
          if (type === 'added' && nodeName && nodeInformer.get(nodeName) === undefined) {
            queue.addAfter(`node ${nodeName}`, QUARANTINE_MS);
          }
          if (!isPodTerminal(pod)) return;
          ended.add(key);
          if (ended.size > terminatedThreshold) queue.add('terminated');
        }),
      ],
      reconcile,
    },
    context,
  );
}

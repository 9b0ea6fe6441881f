/** Upstream's taint-eviction-controller: deletes Pods from nodes whose NoExecute taints they do not (any longer) bear. */
import type { Node, Pod, Taint, Toleration } from '../../api/generated/core-v1.ts';
import { nodes, pods } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { getCondition, objectKey, setCondition, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { tolerates } from '../../apimachinery/taints.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';
import type { Component } from '../../base/component.ts';
import { type ControllerContext, createController, watch } from '../controller.ts';

const WORKERS = 8;

/**
 * For how many seconds Pods with `tolerations` bear all of `taints`: 0 when they do not bear one of them, Infinity when
 * no toleration that is needed ends.
 */
export function tolerationSeconds(taints: readonly Taint[], tolerations: readonly Toleration[] | undefined): number {
  let seconds = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    const used = (tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (used.length === 0) return 0;
    for (const { tolerationSeconds: limit } of used) {
      if (limit !== undefined) seconds = Math.min(seconds, Math.max(0, limit));
    }
  }
  return seconds;
}

const noExecute = (node: Node | undefined): Taint[] =>
  (node?.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute');

export function createTaintEvictionController(context: ControllerContext): Component {
  const { client, clock, recorder } = context;
  const nodeInformer = client.informer(nodes);
  const podInformer = client.informer(pods);

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const pod = podInformer.get(name, namespace);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined || !pod.spec.nodeName) return undefined;
    const taints = noExecute(nodeInformer.get(pod.spec.nodeName));
    const seconds = tolerationSeconds(taints, pod.spec.tolerations);
    if (seconds === Number.POSITIVE_INFINITY) return undefined;
    const left = taintedSince(pod, taints) + seconds * 1000 - clock.now();
    if (seconds > 0 && left > 0) return left;
    await evict(pod);
    return undefined;
  }

  /** From when on the toleration counts: it outlives a restart of this process because it is read off the objects. */
  function taintedSince(pod: Pod, taints: readonly Taint[]): number {
    const scheduled = getCondition(pod.status.conditions, 'PodScheduled')?.lastTransitionTime;
    const times = [scheduled, pod.metadata.creationTimestamp, ...taints.map(({ timeAdded }) => timeAdded)];
    return times.reduce((latest, time) => Math.max(latest, parseTime(time) ?? 0), 0);
  }

  async function evict(pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    recorder.event(
      referenceTo(pods, pod),
      'Normal',
      'TaintManagerEviction',
      `Marking for deletion Pod ${namespace}/${name}`,
    );
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      lastProbeTime: null,
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    };
    const conditions = [...setCondition(pod.status.conditions, condition, formatTime(clock.now()))];
    try {
      await client.update(pods, { ...pod, status: { ...pod.status, conditions } }, { subresource: 'status' });
      await client.delete(pods, name, { namespace, preconditions: { uid } });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  return createController(
    {
      name: 'taint-eviction-controller',
      workers: WORKERS,
      watches: [
        watch(podInformer, (event, queue) => {
          const pod = event.object;
          if (event.type === 'deleted' || !pod.spec.nodeName) return;
          const same =
            event.type === 'modified' &&
            event.old.spec.nodeName === pod.spec.nodeName &&
            deepEqual(event.old.spec.tolerations, pod.spec.tolerations);
          if (!same) queue.add(objectKey(pod));
        }),
        watch(nodeInformer, (event, queue) => {
          const before = event.type === 'modified' ? noExecute(event.old) : [];
          if (event.type === 'deleted' || deepEqual(before, noExecute(event.object))) return;
          for (const pod of podInformer.list()) {
            if (pod.spec.nodeName === event.object.metadata.name) queue.add(objectKey(pod));
          }
        }),
      ],
      reconcile,
    },
    context,
  );
}

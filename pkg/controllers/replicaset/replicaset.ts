/** The ReplicaSet and ReplicationController controllers: so many Pods of one template, no more and no fewer. */
import type { ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod, ReplicationController } from '../../api/generated/core-v1.ts';
import { pods, replicaSets, replicationControllers } from '../../api/resources.ts';
import type { ResourceType } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { type LabelMatcher, labelMapMatcher, labelMatcher, noLabel } from '../../apimachinery/labels.ts';
import { controllerOf, isBeingDeleted, splitKey } from '../../apimachinery/object-meta.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import type { Informer, InformerEvent } from '../../client/informer.ts';
import { claim } from '../claim.ts';
import { type ControllerContext, createController, type KeyQueue, watchOwn } from '../controller.ts';
import { Expectations } from '../expectations.ts';
import { createPod, deletePod, podFromTemplate } from '../pod-control.ts';
import { isPodActive, isPodTerminating } from '../pod-state.ts';
import { slowStartBatch } from '../slow-start.ts';
import { watchOwned } from '../watch-owned.ts';
import { podsToDelete } from './deletion-rank.ts';
import { replicaSetStatus } from './status.ts';

/** The most Pods created or deleted in one round. */
const BURST = 500;
const WORKERS = 5;

/** What tells the two kinds apart. */
interface ReplicaKind<T> {
  readonly name: string;
  readonly type: ResourceType<T & ReplicaOwner>;
  selector(owner: T): LabelMatcher;
}
type ReplicaOwner = ReplicaSet | ReplicationController;

/** Upstream's replicaset-controller. */
export function createReplicaSetController(context: ControllerContext): Component {
  return createReplicaController(context, {
    name: 'replicaset-controller',
    type: replicaSets,
    selector: (set: ReplicaSet) => labelMatcher(set.spec.selector),
  });
}

/** Upstream's replication-controller. */
export function createReplicationController(context: ControllerContext): Component {
  return createReplicaController(context, {
    name: 'replication-controller',
    type: replicationControllers,
    // An empty map would select every Pod; validation forbids it.
    selector: ({ spec }: ReplicationController) =>
      Object.keys(spec.selector ?? {}).length === 0 ? noLabel : labelMapMatcher(spec.selector),
  });
}

function createReplicaController<T extends ReplicaOwner>(context: ControllerContext, kind: ReplicaKind<T>): Component {
  const { client, clock } = context;
  const type: ResourceType<ReplicaOwner> = kind.type;
  const owners = client.informer(type) as Informer<T>;
  const podInformer = client.informer(pods);
  const expectations = new Expectations(clock);

  function onOwnPod({ type, object }: InformerEvent<Pod>, key: string, queue: KeyQueue): void {
    if (type === 'added') expectations.creationObserved(key);
    // A Pod on its way out counts as deleted: its replacement need not wait until it has ended.
    if (type === 'deleted' || isBeingDeleted(object)) expectations.deletionObserved(key, object.metadata.uid);
    queue.add(key);
  }

  /** Creates and deletes Pods towards the wanted number; resolves to the failure, if there was one. */
  async function manage(owner: T, key: string, active: readonly Pod[]): Promise<unknown> {
    const difference = active.length - (owner.spec.replicas ?? 0);
    if (difference < 0) {
      const count = Math.min(-difference, BURST);
      const pod = podFromTemplate(owner.spec.template ?? {}, kind.type, owner);
      expectations.expectCreations(key, count);
      const batch = await slowStartBatch(count, async () => {
        try {
          await createPod(context, kind.type, owner, pod);
        } catch (error) {
          if (!isNamespaceTerminating(error)) throw error;
          expectations.creationObserved(key);
        }
      });
      for (let skipped = batch.successes; skipped < count; skipped++) expectations.creationObserved(key);
      return batch.error;
    }
    if (difference === 0) return undefined;
    const doomed = podsToDelete(active, relatedPods(owner), Math.min(difference, BURST), clock.now());
    expectations.expectDeletions(
      key,
      doomed.map((pod) => pod.metadata.uid),
    );
    const results = await Promise.allSettled(doomed.map((pod) => deletePod(context, kind.type, owner, pod)));
    let failure: unknown;
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') return;
      expectations.deletionObserved(key, doomed[index]?.metadata.uid ?? '');
      if (!isStatusReason(result.reason, 'NotFound')) failure ??= result.reason;
    });
    return failure;
  }

  /** The Pods of all that have the same controller as `owner`: the generations of one Deployment. */
  function relatedPods(owner: T): readonly Pod[] {
    const parent = controllerOf(owner)?.uid;
    const siblings = owners
      .list(owner.metadata.namespace)
      .filter((other) => other === owner || (parent !== undefined && controllerOf(other)?.uid === parent));
    const uids = new Set(siblings.map((sibling) => sibling.metadata.uid));
    return podInformer.list(owner.metadata.namespace).filter((pod) => uids.has(controllerOf(pod)?.uid ?? ''));
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const owner = owners.get(name, namespace);
    if (owner === undefined) {
      expectations.forget(key);
      return undefined;
    }
    const mayAct = expectations.satisfied(key);
    const candidates = podInformer.list(namespace);
    const active = await claim(
      client,
      { type, object: owner },
      { type: pods, candidates: candidates.filter(isPodActive), selector: kind.selector(owner) },
    );
    const failure = mayAct && !isBeingDeleted(owner) ? await manage(owner, key, active) : undefined;
    const terminating = candidates.filter(
      (pod) => isPodTerminating(pod) && controllerOf(pod)?.uid === owner.metadata.uid,
    );
    const { status, again } = replicaSetStatus(
      {
        generation: owner.metadata.generation ?? 0,
        replicas: owner.spec.replicas ?? 0,
        minReadySeconds: owner.spec.minReadySeconds ?? 0,
        labels: owner.spec.template?.metadata.labels ?? {},
        status: owner.status,
        active,
        terminating: kind.type.kind === 'ReplicaSet' ? terminating : [],
        failure,
      },
      clock.now(),
    );
    if (!deepEqual(status, owner.status)) await updateStatus(owner, status);
    if (failure !== undefined) throw failure;
    return again;
  }

  async function updateStatus(owner: T, status: T['status']): Promise<void> {
    try {
      await client.update(type, { ...owner, status }, { subresource: 'status' });
    } catch (error) {
      // Deleted meanwhile; a conflict is retried with what has changed.
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  return createController(
    {
      name: kind.name,
      workers: WORKERS,
      watches: [
        watchOwn(owners),
        watchOwned(podInformer, { type: kind.type, informer: owners, selector: kind.selector, tell: onOwnPod }),
      ],
      reconcile,
    },
    context,
  );
}

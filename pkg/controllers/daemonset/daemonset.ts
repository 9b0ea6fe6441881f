/** Upstream's daemonset-controller: carries out what planDaemonSet finds. */
import type { ControllerRevision, DaemonSet } from '../../api/generated/apps-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { labelMatcher } from '../../apimachinery/labels.ts';
import { isBeingDeleted, objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import type { InformerEvent } from '../../client/informer.ts';
import { claim } from '../claim.ts';
import { type ControllerContext, createController, type KeyQueue, watch, watchOwn } from '../controller.ts';
import { FailedPodBackoff } from '../failed-pod-backoff.ts';
import { forgottenRevisions, planHistory, RevisionCollision, RevisionControl, templateData } from '../history.ts';
import { createPod, deletePod } from '../pod-control.ts';
import { slowStartBatch } from '../slow-start.ts';
import { watchOwned } from '../watch-owned.ts';
import { daemonPod, placementOf, REVISION_HASH } from './daemon-pod.ts';
import { type DaemonSetPlan, planDaemonSet } from './plan.ts';

const WORKERS = 2;
const LONGEST_BACKOFF_MS = 15 * 60_000;
const DEFAULT_HISTORY = 10;

export function createDaemonSetController(context: ControllerContext): Component {
  const { client, clock, recorder } = context;
  const setInformer = client.informer(daemonSets);
  const podInformer = client.informer(pods);
  const nodeInformer = client.informer(nodes);
  const revisionInformer = client.informer(controllerRevisions);
  const history = new RevisionControl(client, daemonSets);
  const backoff = new FailedPodBackoff(clock, LONGEST_BACKOFF_MS);

  function onNode(event: InformerEvent<Node>, queue: KeyQueue): void {
    if (event.type === 'modified' && !mattersToDaemons(event.old, event.object)) return;
    for (const set of setInformer.list()) {
      const placement = placementOf(set);
      const now = placement(event.object);
      const changed =
        event.type === 'modified' ? !deepEqual(placement(event.old), now) : now.shouldRun || event.type === 'deleted';
      if (changed) queue.add(objectKey(set));
    }
  }

  /** The hash of the set's present template, and the revisions that came before. */
  async function ensureRevision(set: DaemonSet): Promise<{ hash: string; old: readonly ControllerRevision[] }> {
    const data = templateData(set.spec.template);
    const found = planHistory(await history.list(set, set.spec.selector), data);
    try {
      const current = await history.ensure(set, found, {
        data,
        labels: set.spec.template.metadata?.labels ?? {},
        annotations: set.metadata.annotations,
        hashLabel: REVISION_HASH,
        collisionCount: set.status.collisionCount,
      });
      return { hash: current.metadata.labels?.[REVISION_HASH] ?? '', old: found.old };
    } catch (error) {
      if (error instanceof RevisionCollision) {
        const collisionCount = (set.status.collisionCount ?? 0) + 1;
        await writeStatus(set, { ...set.status, collisionCount });
      }
      throw error;
    }
  }

  async function writeStatus(set: DaemonSet, status: DaemonSet['status']): Promise<void> {
    if (deepEqual(status, set.status)) return;
    await client.update(daemonSets, { ...set, status }, { subresource: 'status' });
  }

  /** Resolves to the failure, if there was one. */
  async function carryOut(set: DaemonSet, plan: DaemonSetPlan, hash: string): Promise<unknown> {
    tellOfEnded(set, plan.ended);
    let next = 0;
    const batch = await slowStartBatch(plan.creates.length, async () => {
      const nodeName = plan.creates[next++] ?? '';
      try {
        await createPod(context, daemonSets, set, daemonPod(set, nodeName, hash));
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    });
    const results = await Promise.allSettled(plan.deletes.map((pod) => deletePod(context, daemonSets, set, pod)));
    const failed = results.find((result) => result.status === 'rejected' && !isStatusReason(result.reason, 'NotFound'));
    return batch.error ?? (failed?.status === 'rejected' ? failed.reason : undefined);
  }

  function tellOfEnded(set: DaemonSet, ended: readonly Pod[]): void {
    const about = referenceTo(daemonSets, set);
    for (const { metadata, spec, status } of ended) {
      const place = `daemon pod ${metadata.namespace}/${metadata.name} on node ${spec.nodeName}`;
      if (status.phase === 'Failed') {
        backoff.next(set.metadata.uid, spec.nodeName ?? '');
        recorder.event(about, 'Warning', 'FailedDaemonPod', `Found failed ${place}, will try to kill it`);
      } else {
        recorder.event(about, 'Normal', 'SucceededDaemonPod', `Found succeeded ${place}, will try to delete it`);
      }
    }
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const set = setInformer.get(name, namespace);
    if (set === undefined) return undefined;
    const selector = labelMatcher(set.spec.selector);
    if (selector.isEverything) {
      const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
      recorder.event(referenceTo(daemonSets, set), 'Warning', 'SelectingAll', message);
      return undefined;
    }
    if (isBeingDeleted(set)) return undefined;
    const { hash, old } = await ensureRevision(set);
    const owned = await claim(
      client,
      { type: daemonSets, object: set },
      { type: pods, candidates: podInformer.list(namespace), selector },
    );
    const plan = planDaemonSet(
      {
        set,
        nodes: nodeInformer.list(),
        pods: owned,
        hash,
        backoff: (nodeName) => backoff.remaining(set.metadata.uid, nodeName),
      },
      clock.now(),
    );
    const failure = await carryOut(set, plan, hash);
    const live = new Set(owned.map(({ metadata }) => metadata.labels?.[REVISION_HASH]));
    const limit = set.spec.revisionHistoryLimit ?? DEFAULT_HISTORY;
    await history.remove(forgottenRevisions(old, limit, ({ metadata }) => live.has(metadata.labels?.[REVISION_HASH])));
    await writeStatus(set, plan.status);
    if (failure !== undefined) throw failure;
    return plan.again;
  }

  const owners = {
    type: daemonSets,
    informer: setInformer,
    selector: ({ spec }: DaemonSet) => labelMatcher(spec.selector),
  };
  return createController(
    {
      name: 'daemonset-controller',
      workers: WORKERS,
      watches: [
        watchOwn(setInformer),
        watchOwned(revisionInformer, owners),
        watchOwned(podInformer, owners),
        watch(nodeInformer, onNode),
      ],
      reconcile,
    },
    context,
  );
}

/** Heartbeats change nothing for daemons. */
function mattersToDaemons(old: Node, node: Node): boolean {
  return !deepEqual(old.metadata.labels, node.metadata.labels) || !deepEqual(old.spec.taints, node.spec.taints);
}

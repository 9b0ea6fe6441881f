/** Upstream's statefulset-controller: carries out what planStatefulSet finds. */
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../../api/generated/apps-v1.ts';
import type { Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { labelMatcher } from '../../apimachinery/labels.ts';
import { isBeingDeleted, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import type { Component } from '../../base/component.ts';
import { claim } from '../claim.ts';
import { type ControllerContext, controllerKey, createController, watch, watchOwn } from '../controller.ts';
import { FailedPodBackoff } from '../failed-pod-backoff.ts';
import {
  forgottenRevisions,
  planHistory,
  RevisionCollision,
  RevisionControl,
  templateData,
  templateOf,
} from '../history.ts';
import { watchOwned } from '../watch-owned.ts';
import { ordinalOf, REVISION_LABEL } from './identity.ts';
import { planStatefulSet, type StatefulSetPlan } from './plan.ts';
import { StatefulPodWriter } from './pod-writer.ts';

const WORKERS = 5;
const DEFAULT_HISTORY = 10;
/** Upstream has none here: a Pod that its node refuses at once would be made anew dozens of times a second. */
const LONGEST_BACKOFF_MS = 30_000;
const HASH_LABEL = 'controller.kubernetes.io/hash';

interface Revisions {
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly old: readonly ControllerRevision[];
}

export function createStatefulSetController(context: ControllerContext): Component {
  const { client, clock, recorder } = context;
  const setInformer = client.informer(statefulSets);
  const podInformer = client.informer(pods);
  const claimInformer = client.informer(persistentVolumeClaims);
  const revisionInformer = client.informer(controllerRevisions);
  const history = new RevisionControl(client, statefulSets);
  const backoff = new FailedPodBackoff(clock, LONGEST_BACKOFF_MS);
  const writer = new StatefulPodWriter(context);

  async function ensureRevisions(set: StatefulSet): Promise<Revisions> {
    const data = templateData(set.spec.template);
    const all = await history.list(set, set.spec.selector);
    const found = planHistory(all, data);
    try {
      const update = await history.ensure(set, found, {
        data,
        labels: set.spec.template.metadata?.labels ?? {},
        annotations: set.metadata.annotations,
        hashLabel: HASH_LABEL,
        collisionCount: set.status.collisionCount || undefined,
      });
      const current = all.find(({ metadata }) => metadata.name === set.status.currentRevision) ?? update;
      return { current, update, old: found.old };
    } catch (error) {
      if (error instanceof RevisionCollision) {
        await writeStatus(set, { ...set.status, collisionCount: (set.status.collisionCount ?? 0) + 1 });
      }
      throw error;
    }
  }

  async function writeStatus(set: StatefulSet, status: StatefulSetStatus): Promise<void> {
    if (deepEqual(status, set.status)) return;
    await client.update(statefulSets, { ...set, status }, { subresource: 'status' });
  }

  /** Resolves to the failures. Claims change hands before their Pods go. */
  async function carryOut(
    set: StatefulSet,
    owned: readonly Pod[],
    plan: StatefulSetPlan,
    templates: ReadonlyMap<string, PodTemplateSpec>,
  ): Promise<readonly unknown[]> {
    if (isBeingDeleted(set)) return [];
    for (const pod of owned) await writer.keepClaims(set, pod);
    for (const { metadata, status } of plan.deletes) {
      if (status.phase === 'Failed') backoff.next(set.metadata.uid, metadata.name);
    }
    const results = await Promise.allSettled([
      ...plan.creates.map(({ ordinal, revision }) =>
        writer.create(set, ordinal, templates.get(revision) ?? set.spec.template, revision),
      ),
      ...plan.pending.map((pod) => writer.createClaims(set, ordinalOf(set, pod) ?? 0)),
      ...plan.repairs.map((pod) => writer.repair(set, pod)),
      ...plan.deletes.map((pod) => writer.remove(set, pod)),
    ]);
    return results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const set = setInformer.get(name, namespace);
    if (set === undefined) return undefined;
    const selector = labelMatcher(set.spec.selector);
    if (selector.isEverything) {
      const message = 'This stateful set is selecting all pods. A non-empty selector is required.';
      recorder.event(referenceTo(statefulSets, set), 'Warning', 'SelectingAll', message);
      return undefined;
    }
    const { current, update, old } = await ensureRevisions(set);
    const owned = await claim(
      client,
      { type: statefulSets, object: set },
      {
        type: pods,
        // Pods of other names are none of ours, whatever their labels.
        candidates: podInformer.list(namespace).filter((pod) => ordinalOf(set, pod) !== undefined),
        selector,
      },
    );
    const names = { current: current.metadata.name, update: update.metadata.name };
    const plan = planStatefulSet(
      { set, pods: owned, ...names, backoff: (podName) => backoff.remaining(set.metadata.uid, podName) },
      clock.now(),
    );
    const templates = new Map([[names.update, set.spec.template]]);
    const before = templateOf(current);
    if (before !== undefined && names.current !== names.update) templates.set(names.current, before);
    const failures = await carryOut(set, owned, plan, templates);
    await writeStatus(set, plan.status);
    const live = new Set([...Object.values(names), ...owned.map(({ metadata }) => metadata.labels?.[REVISION_LABEL])]);
    const limit = set.spec.revisionHistoryLimit ?? DEFAULT_HISTORY;
    await history.remove(forgottenRevisions(old, limit, ({ metadata }) => live.has(metadata.name)));
    if (failures.length > 0) throw failures[0];
    return plan.again;
  }

  return createController(
    {
      name: 'statefulset-controller',
      workers: WORKERS,
      watches: [
        watchOwn(setInformer),
        watchOwned(podInformer, {
          type: statefulSets,
          informer: setInformer,
          selector: ({ spec }) => labelMatcher(spec.selector),
        }),
        // Only looked at, with what the sets and their Pods bring about.
        watch(claimInformer, () => {}),
        watch(revisionInformer, ({ object }, queue) => {
          const key = controllerKey(object, statefulSets);
          if (key !== undefined) queue.add(key);
        }),
      ],
      reconcile,
    },
    context,
  );
}

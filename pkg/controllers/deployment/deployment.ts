/** Upstream's deployment-controller: carries out what planDeployment finds. */
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { deployments, pods, replicaSets } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { labelMatcher } from '../../apimachinery/labels.ts';
import { controllerOf, isControlledBy, splitKey } from '../../apimachinery/object-meta.ts';
import { type ObjectRef, referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { claim } from '../claim.ts';
import {
  type ControllerContext,
  controllerKey,
  createController,
  type KeyQueue,
  watch,
  watchOwn,
} from '../controller.ts';
import { watchOwned } from '../watch-owned.ts';
import { type Draft, hasTemplateOf } from './draft.ts';
import { planDeployment } from './plan.ts';
import { REVISION } from './revisions.ts';
import { hasProgressDeadline, withCondition } from './status.ts';

const WORKERS = 5;

export function createDeploymentController(context: ControllerContext): Component {
  const { client, clock, recorder } = context;
  const deploymentInformer = client.informer(deployments);
  const setInformer = client.informer(replicaSets);
  const podInformer = client.informer(pods);

  /** Recreate waits for the last old Pod to go. */
  function onPodDeleted(pod: Parameters<typeof controllerOf>[0], queue: KeyQueue): void {
    const owner = controllerOf(pod);
    if (owner?.kind !== replicaSets.kind) return;
    const set = setInformer.get(owner.name, pod.metadata.namespace);
    const key = set === undefined ? undefined : controllerKey(set, deployments);
    if (key === undefined) return;
    const { name, namespace } = splitKey(key);
    if (deploymentInformer.get(name, namespace)?.spec.strategy.type === 'Recreate') queue.add(key);
  }

  async function writeStatus(
    deployment: Deployment,
    status: Deployment['status'],
    revision = deployment.metadata.annotations?.[REVISION],
  ): Promise<void> {
    const noted = deployment.metadata.annotations?.[REVISION] === revision;
    if (noted && deepEqual(status, deployment.status)) return;
    const metadata =
      noted || revision === undefined
        ? deployment.metadata
        : { ...deployment.metadata, annotations: { ...deployment.metadata.annotations, [REVISION]: revision } };
    await client.update(deployments, { ...deployment, metadata, status }, { subresource: 'status' });
  }

  async function create(deployment: Deployment, draft: Draft): Promise<void> {
    const about = referenceTo(deployments, deployment);
    const { name } = draft.set.metadata;
    try {
      await client.create(replicaSets, written(draft));
    } catch (error) {
      if (isStatusReason(error, 'AlreadyExists')) {
        await settleNameClash(deployment, name);
        return;
      }
      if (!isNamespaceTerminating(error)) {
        const message = `Failed to create new replica set "${name}": ${errorText(error)}`;
        recorder.event(about, 'Warning', 'ReplicaSetCreateError', message);
        if (hasProgressDeadline(deployment)) {
          const failed = { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message };
          const conditions = withCondition(deployment.status.conditions ?? [], failed, formatTime(clock.now()));
          await writeStatus(deployment, { ...deployment.status, conditions });
        }
      }
      throw error;
    }
    if (draft.replicas > 0) tellOfScaling(about, name, 0, draft.replicas);
  }

  /** The name is taken: by our own creation that the informer does not show yet, or by another template's hash. */
  async function settleNameClash(deployment: Deployment, name: string): Promise<void> {
    const taken = await client.get(replicaSets, name, deployment.metadata.namespace);
    if (isControlledBy(taken, deployment) && hasTemplateOf(taken, deployment)) return;
    const collisionCount = (deployment.status.collisionCount ?? 0) + 1;
    await writeStatus(deployment, { ...deployment.status, collisionCount });
    throw new Error(`the name of replica set ${name} is taken, trying another`);
  }

  async function update(deployment: Deployment, draft: Draft): Promise<void> {
    await client.update(replicaSets, written(draft));
    const before = draft.set.spec.replicas ?? 0;
    if (before !== draft.replicas) {
      tellOfScaling(referenceTo(deployments, deployment), draft.set.metadata.name, before, draft.replicas);
    }
  }

  function tellOfScaling(about: ObjectRef, name: string, before: number, after: number): void {
    const direction = after > before ? 'up' : 'down';
    const message = `Scaled ${direction} replica set ${name} from ${before} to ${after}`;
    recorder.event(about, 'Normal', 'ScalingReplicaSet', message);
  }

  async function forget(set: ReplicaSet): Promise<void> {
    const { name, namespace = '' } = set.metadata;
    try {
      await client.delete(replicaSets, name, { namespace, propagationPolicy: 'Background' });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const deployment = deploymentInformer.get(name, namespace);
    if (deployment === undefined) return undefined;
    const selector = labelMatcher(deployment.spec.selector);
    if (selector.isEverything) {
      const message = 'This deployment is selecting all pods. A non-empty selector is required.';
      recorder.event(referenceTo(deployments, deployment), 'Warning', 'SelectingAll', message);
      await writeStatus(deployment, {
        ...deployment.status,
        observedGeneration: deployment.metadata.generation,
      });
      return undefined;
    }
    const sets = await claim(
      client,
      { type: deployments, object: deployment },
      { type: replicaSets, candidates: setInformer.list(namespace), selector },
    );
    const plan = planDeployment({ deployment, sets, pods: podInformer.list(namespace) }, clock.now());
    if (plan.create !== undefined) await create(deployment, plan.create);
    await Promise.all(plan.updates.map((draft) => update(deployment, draft)));
    await Promise.all(plan.deletes.map(forget));
    await writeStatus(deployment, plan.status, plan.revision);
    return plan.again;
  }

  return createController(
    {
      name: 'deployment-controller',
      workers: WORKERS,
      watches: [
        watchOwn(deploymentInformer),
        watchOwned(setInformer, {
          type: deployments,
          informer: deploymentInformer,
          selector: ({ spec }) => labelMatcher(spec.selector),
        }),
        watch(podInformer, (event, queue) => {
          if (event.type === 'deleted') onPodDeleted(event.object, queue);
        }),
      ],
      reconcile,
    },
    context,
  );
}

/** `draft` as it is to be written. */
function written({ set, isNew, replicas, annotations, minReadySeconds }: Draft): Input<ReplicaSet> {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...named } = set.metadata;
  return {
    ...set,
    metadata: { ...(isNew ? named : set.metadata), annotations },
    spec: { ...set.spec, replicas, ...(minReadySeconds > 0 ? { minReadySeconds } : { minReadySeconds: undefined }) },
  };
}

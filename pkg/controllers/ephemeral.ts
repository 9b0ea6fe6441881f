/** Upstream's ephemeral-volume-controller: makes the claims of generic ephemeral volumes; they go with their Pod. */
import type { PersistentVolumeClaim, Pod } from '../api/generated/core-v1.ts';
import { persistentVolumeClaims, pods } from '../api/resources.ts';
import { apiVersionOf, type Input } from '../api/types.ts';
import { controllerReference, isBeingDeleted, objectKey, splitKey } from '../apimachinery/object-meta.ts';
import { referenceTo } from '../apimachinery/object-reference.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { type ClaimUse, claimsOfPod, foreignEphemeralClaim } from '../apimachinery/volume-binding.ts';
import type { Component } from '../base/component.ts';
import { errorText } from '../base/log.ts';
import { type ControllerContext, controllerKey, createController, watch } from './controller.ts';

const WORKERS = 5;

const ownClaims = (pod: Pod): ClaimUse[] => claimsOfPod(pod).filter(({ isEphemeral }) => isEphemeral);

export function createEphemeralVolumeController(context: ControllerContext): Component {
  const { client, recorder } = context;
  const podInformer = client.informer(pods);
  const claims = client.informer(persistentVolumeClaims);

  async function ensureClaim(pod: Pod, use: ClaimUse): Promise<void> {
    const existing = claims.get(use.claimName, pod.metadata.namespace);
    if (existing === undefined) {
      try {
        await client.create(persistentVolumeClaims, claimFor(pod, use));
        return;
      } catch (error) {
        if (isStatusReason(error, 'AlreadyExists')) throw error;
        throw new Error(`create PVC ${use.claimName}`, { cause: error });
      }
    }
    const foreign = foreignEphemeralClaim(pod, existing);
    if (foreign !== undefined) throw new Error(foreign);
  }

  return createController(
    {
      name: 'ephemeral-volume-controller',
      workers: WORKERS,
      watches: [
        watch(podInformer, ({ type, object }, queue) => {
          if (type !== 'deleted' && !isBeingDeleted(object) && ownClaims(object).length > 0)
            queue.add(objectKey(object));
        }),
        watch(claims, ({ type, object }, queue) => {
          const owner = type === 'deleted' ? controllerKey(object, pods) : undefined;
          if (owner !== undefined) queue.add(owner);
        }),
      ],
      async reconcile(key) {
        const { namespace, name } = splitKey(key);
        const pod = podInformer.get(name, namespace);
        if (pod === undefined || isBeingDeleted(pod)) return undefined;
        if (pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') return undefined;
        for (const use of ownClaims(pod)) {
          try {
            await ensureClaim(pod, use);
          } catch (error) {
            const failure = new Error(`ephemeral volume ${use.volume.name}`, { cause: error });
            recorder.event(referenceTo(pods, pod), 'Warning', 'FailedBinding', errorText(failure));
            throw failure;
          }
        }
        return undefined;
      },
    },
    context,
  );
}

function claimFor(pod: Pod, { volume, claimName }: ClaimUse): Input<PersistentVolumeClaim> {
  const template = volume.ephemeral?.volumeClaimTemplate;
  const owner = controllerReference(pod, { apiVersion: apiVersionOf(pods), kind: pods.kind });
  return {
    metadata: {
      name: claimName,
      namespace: pod.metadata.namespace,
      ...(template?.metadata?.labels && { labels: template.metadata.labels }),
      ...(template?.metadata?.annotations && { annotations: template.metadata.annotations }),
      ownerReferences: [owner],
    },
    spec: template?.spec ?? {},
  } as Input<PersistentVolumeClaim>;
}

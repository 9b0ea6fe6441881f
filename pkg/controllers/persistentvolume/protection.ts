/** Upstream's pvc- and pv-protection controllers: a claim that Pods use, or a volume that is bound, outlives its deletion. */
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes, pods } from '../../api/resources.ts';
import type { Input, KubeObject, ResourceType } from '../../api/types.ts';
import { hasFinalizer, isBeingDeleted, keyOf, splitKey } from '../../apimachinery/object-meta.ts';
import { claimsOfPod, foreignEphemeralClaim } from '../../apimachinery/volume-binding.ts';
import type { Component } from '../../base/component.ts';
import { type ControllerContext, createController, watch, watchOwn } from '../controller.ts';

export const CLAIM_FINALIZER = 'kubernetes.io/pvc-protection';
export const VOLUME_FINALIZER = 'kubernetes.io/pv-protection';
const WORKERS = 2;

/** Whether `pod` keeps the claim from going. Pods without a node do not: the kubelet refuses to start them later. */
function keepsClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  if (!pod.spec.nodeName) return false;
  const hasEnded = isBeingDeleted(pod) && pod.metadata.deletionGracePeriodSeconds === 0;
  return claimsOfPod(pod).some(({ claimName, isEphemeral }) => {
    if (claimName !== claim.metadata.name) return false;
    return !isEphemeral || (!hasEnded && foreignEphemeralClaim(pod, claim) === undefined);
  });
}

/** Adds or takes away `finalizer` as upstream does: it is missing from living objects only where admission was off. */
async function protect<T extends KubeObject>(
  { client }: ControllerContext,
  type: ResourceType<T>,
  object: T,
  finalizer: string,
  isUsed: () => boolean,
): Promise<void> {
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  const isProtected = hasFinalizer(object, finalizer);
  let finalizers: string[];
  if (!isBeingDeleted(object)) {
    if (isProtected) return;
    finalizers = [...others, finalizer];
  } else {
    if (!isProtected || isUsed()) return;
    finalizers = others;
  }
  await client.update(type, { ...object, metadata: { ...object.metadata, finalizers } } as unknown as Input<T>);
}

/** Keeps claims as long as Pods on nodes use them. */
export function createClaimProtection(context: ControllerContext): Component {
  const claims = context.client.informer(persistentVolumeClaims);
  const podInformer = context.client.informer(pods);
  return createController(
    {
      name: 'pvc-protection-controller',
      workers: WORKERS,
      watches: [
        watchOwn(claims),
        watch(podInformer, (event, queue) => {
          // A Pod that goes away may set its claims free.
          const gone = event.type === 'deleted' || (isBeingDeleted(event.object) && !event.object.spec.nodeName);
          if (!gone) return;
          for (const { claimName } of claimsOfPod(event.object)) {
            queue.add(keyOf(event.object.metadata.namespace, claimName));
          }
        }),
      ],
      async reconcile(key) {
        const { namespace, name } = splitKey(key);
        const claim = claims.get(name, namespace);
        if (claim === undefined) return undefined;
        const isUsed = (): boolean => podInformer.list(namespace).some((pod) => keepsClaim(pod, claim));
        await protect(context, persistentVolumeClaims, claim, CLAIM_FINALIZER, isUsed);
        return undefined;
      },
    },
    context,
  );
}

/** Keeps volumes as long as they are bound. */
export function createVolumeProtection(context: ControllerContext): Component {
  const volumes = context.client.informer(persistentVolumes);
  const isBound = ({ status }: PersistentVolume): boolean => status.phase === 'Bound';
  return createController(
    {
      name: 'pv-protection-controller',
      workers: WORKERS,
      watches: [watchOwn(volumes)],
      async reconcile(name) {
        const volume = volumes.get(name);
        if (volume === undefined) return undefined;
        await protect(context, persistentVolumes, volume, VOLUME_FINALIZER, () => isBound(volume));
        return undefined;
      },
    },
    context,
  );
}

/** Upstream's pvc-protection and pv-protection controllers: what is deleted goes once nothing uses it any more. */
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes, pods } from '../api/resources.ts';
import type { Input, KubeObject, ResourceType } from '../api/types.ts';
import { hasFinalizer, isBeingDeleted, keyOf, splitKey } from '../apimachinery/object-meta.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { Component } from '../base/component.ts';
import type { Client } from '../client/client.ts';
import { type ControllerContext, createController, watch, watchOwn } from './controller.ts';
import { isPodTerminal } from './pod-state.ts';

const CLAIM_FINALIZER = 'kubernetes.io/pvc-protection';
const VOLUME_FINALIZER = 'kubernetes.io/pv-protection';

/** The names of the claims a Pod mounts, those made for it included. */
function claimsOf({ metadata, spec }: Pod): string[] {
  return (spec.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral === undefined ? [] : [`${metadata.name}-${volume.name}`];
  });
}

/** Whether a Pod still needs its claims: it runs somewhere, or may be about to. */
const needsVolumes = (pod: Pod): boolean => Boolean(pod.spec.nodeName) && !isPodTerminal(pod);

async function release<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: T,
  finalizer: string,
): Promise<void> {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  try {
    await client.update(type, { ...object, metadata: { ...object.metadata, finalizers } } as Input<T>);
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
  }
}

/** Lets a claim go that no running Pod mounts. */
export function createClaimProtectionController(context: ControllerContext): Component {
  const { client } = context;
  const claimInformer = client.informer(persistentVolumeClaims);
  const podInformer = client.informer(pods);

  function isUsed({ metadata: { name, namespace } }: PersistentVolumeClaim): boolean {
    return podInformer.list(namespace).some((pod) => needsVolumes(pod) && claimsOf(pod).includes(name));
  }

  async function reconcile(key: string): Promise<undefined> {
    const { namespace, name } = splitKey(key);
    const claim = claimInformer.get(name, namespace);
    if (claim === undefined || !isBeingDeleted(claim) || !hasFinalizer(claim, CLAIM_FINALIZER)) return;
    if (!isUsed(claim)) await release(client, persistentVolumeClaims, claim, CLAIM_FINALIZER);
  }

  return createController(
    {
      name: 'persistentvolumeclaim-protection-controller',
      workers: 1,
      watches: [
        watchOwn(claimInformer),
        watch(podInformer, (event, queue) => {
          if (event.type !== 'deleted' && needsVolumes(event.object)) return;
          const { namespace } = event.object.metadata;
          for (const name of claimsOf(event.object)) queue.add(keyOf(namespace, name));
        }),
      ],
      reconcile,
    },
    context,
  );
}

/** Lets a volume go that is bound to no claim. */
export function createVolumeProtectionController(context: ControllerContext): Component {
  const { client } = context;
  const informer = client.informer(persistentVolumes);
  const isBound = ({ status }: PersistentVolume): boolean => status.phase === 'Bound';

  async function reconcile(name: string): Promise<undefined> {
    const volume = informer.get(name);
    if (volume === undefined || !isBeingDeleted(volume) || !hasFinalizer(volume, VOLUME_FINALIZER)) return;
    if (!isBound(volume)) await release(client, persistentVolumes, volume, VOLUME_FINALIZER);
  }

  return createController(
    { name: 'persistentvolume-protection-controller', workers: 1, watches: [watchOwn(informer)], reconcile },
    context,
  );
}

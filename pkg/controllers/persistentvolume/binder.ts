/** Upstream's persistentvolume-binder-controller: binds claims and volumes to each other, and releases volumes. */
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../api/resources.ts';
import { isBeingDeleted, keyOf, objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { claimsOfPod, isFullyBound } from '../../apimachinery/volume-binding.ts';
import type { Component } from '../../base/component.ts';
import { type ControllerContext, createController, type KeyQueue, watch } from '../controller.ts';
import { decideClaim, decideVolume, reclaimFailure, type Told } from './decide.ts';
import { VolumeWriter } from './writer.ts';

const WORKERS = 4;
const CLAIM = 'claim:';
const VOLUME = 'volume:';

export function createPersistentVolumeBinder(context: ControllerContext): Component {
  const { client } = context;
  const claims = client.informer(persistentVolumeClaims);
  const volumes = client.informer(persistentVolumes);
  const classes = client.informer(storageClasses);
  const podInformer = client.informer(pods);
  const writer = new VolumeWriter(context);

  /** Has every claim looked at that `which` selects and that has no volume yet. */
  function wakeUnbound(queue: KeyQueue, which: (claim: PersistentVolumeClaim) => boolean): void {
    for (const claim of claims.list()) if (!isFullyBound(claim) && which(claim)) queue.add(CLAIM + objectKey(claim));
  }

  /** Names of the Pods without a node that use the claim. */
  function waitingPods({ metadata }: PersistentVolumeClaim): string[] {
    const uses = (pod: Pod): boolean =>
      !pod.spec.nodeName && claimsOfPod(pod).some(({ claimName }) => claimName === metadata.name);
    return podInformer
      .list(metadata.namespace)
      .filter(uses)
      .map((pod) => pod.metadata.name);
  }

  async function syncClaim(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const claim = claims.get(name, namespace);
    if (claim === undefined) return;
    const view = { volumes: volumes.list(), classes: classes.list(), waitingPods: () => waitingPods(claim) };
    const decision = decideClaim(claim, view);
    switch (decision.action) {
      case 'bind':
        return writer.bind(decision.volume, claim);
      case 'adoptClass':
        await writer.adoptClass(claim, decision.storageClass);
        return;
      case 'provision':
        await writer.requestProvisioning(claim, decision.provisioner);
        writer.tellClaim(claim, decision.event);
        return;
      case 'lost':
        return writer.setLost(claim, decision.event);
      case 'pending':
        if (decision.event !== undefined) writer.tellClaim(claim, decision.event);
        await writer.setClaimStatus(claim, 'Pending', undefined);
    }
  }

  async function syncVolume(name: string): Promise<void> {
    const volume = volumes.get(name);
    if (volume === undefined) return;
    const claim = volume.spec.claimRef?.name ? await findClaim(volume) : undefined;
    const decision = decideVolume(volume, claim);
    switch (decision.action) {
      case 'phase':
        await writer.setPhase(volume, decision.phase);
        return;
      case 'leaveToClaim':
        return;
      case 'mismatch':
        if (claim !== undefined) tellMismatch(volume, claim);
        return;
      case 'unbind':
        await writer.unbind(volume);
        return;
      case 'release':
        return release(volume);
    }
  }

  /** The claim of the volume's claimRef. Before a volume is given up, the API itself is asked for it. */
  async function findClaim(volume: PersistentVolume): Promise<PersistentVolumeClaim | undefined> {
    const { namespace, name = '', uid } = volume.spec.claimRef ?? {};
    const known = claims.get(name, namespace);
    if (known !== undefined && (!uid || known.metadata.uid === uid)) return known;
    if (volume.status.phase === 'Released' || volume.status.phase === 'Failed') return known;
    try {
      return await client.get(persistentVolumeClaims, name, namespace);
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
      return undefined;
    }
  }

  async function release(volume: PersistentVolume): Promise<void> {
    const { phase } = volume.status;
    const released = phase === 'Released' || phase === 'Failed' ? volume : await writer.setPhase(volume, 'Released');
    const failure = isBeingDeleted(released) ? undefined : reclaimFailure(released);
    if (failure !== undefined) await writer.setFailed(released, failure);
  }

  function tellMismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): void {
    const because = 'due to incompatible volumeMode.';
    const warn = (message: string): Told => ({ type: 'Warning', reason: 'VolumeMismatch', message });
    const { name } = claim.metadata;
    writer.tellVolume(
      volume,
      warn(`Cannot bind PersistentVolume to requested PersistentVolumeClaim "${name}" ${because}`),
    );
    const text = `Cannot bind PersistentVolume "${volume.metadata.name}" to requested PersistentVolumeClaim ${because}`;
    writer.tellClaim(claim, warn(text));
  }

  return createController(
    {
      name: 'persistent-volume-binder',
      workers: WORKERS,
      watches: [
        watch(claims, ({ type, object }, queue) => {
          if (type !== 'deleted') queue.add(CLAIM + objectKey(object));
          if (object.spec.volumeName) queue.add(VOLUME + object.spec.volumeName);
        }),
        watch(volumes, ({ type, object }, queue) => {
          queue.add(VOLUME + object.metadata.name);
          const { claimRef } = object.spec;
          if (claimRef?.name) queue.add(CLAIM + keyOf(claimRef.namespace, claimRef.name));
          const isNews = type !== 'modified' || object.status.phase === 'Available';
          if (isNews && !claimRef?.uid)
            wakeUnbound(queue, ({ spec }) => !spec.volumeName || spec.volumeName === object.metadata.name);
        }),
        watch(classes, ({ type }, queue) => {
          if (type !== 'deleted') wakeUnbound(queue, ({ spec }) => !spec.volumeName);
        }),
        // That a Pod waits, too, is worth telling.
        watch(podInformer, ({ type, object }, queue) => {
          if (type !== 'added' || object.spec.nodeName) return;
          const names = new Set(claimsOfPod(object).map(({ claimName }) => claimName));
          for (const name of names) {
            const claim = claims.get(name, object.metadata.namespace);
            if (claim !== undefined && !isFullyBound(claim)) queue.add(CLAIM + objectKey(claim));
          }
        }),
      ],
      async reconcile(key) {
        if (key.startsWith(CLAIM)) await syncClaim(key.slice(CLAIM.length));
        else await syncVolume(key.slice(VOLUME.length));
        return undefined;
      },
    },
    context,
  );
}

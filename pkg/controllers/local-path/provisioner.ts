/**
 * Makes and removes the volumes of the class `local-path`. A volume object comes before its folder, which the kubelet
 * makes when it mounts it, and goes after it: whenever the process dies, the object still says what is left to do.
 */
import type { Node, PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import type { StorageClass } from '../../api/generated/storage-v1.ts';
import { nodes, persistentVolumeClaims, persistentVolumes, storageClasses } from '../../api/resources.ts';
import { getCondition, hasFinalizer, isBeingDeleted, objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { parseTime } from '../../apimachinery/time.ts';
import {
  annotationOf,
  isBindingDelayed,
  LOCAL_PATH_PROVISIONER,
  storageClassOf,
  VOLUME_ANNOTATIONS,
} from '../../apimachinery/volume-binding.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { type ControllerContext, createController, watch } from '../controller.ts';
import { FOLDER_FINALIZER, fate, folderOf, refusal, volumeFor, volumeName } from './volume.ts';

export interface LocalPathOptions {
  /** The folder, on every node, that holds the folders of volumes. */
  readonly root: string;
  /** Has the node remove a folder with all that is in it; resolves when it is gone, also when it never was. */
  removeFolder(node: Node, path: string): Promise<void>;
}

const WORKERS = 4;
const CLAIM = 'claim:';
const VOLUME = 'volume:';
/** A node that has been gone from the API for this long is not waited for: its disk went with it. */
const NODE_GONE_MS = 5 * 60_000;

const isReady = (node: Node): boolean => getCondition(node.status.conditions, 'Ready')?.status === 'True';

export function createLocalPathProvisioner(context: ControllerContext, options: LocalPathOptions): Component {
  const { client, clock, log, recorder } = context;
  const claims = client.informer(persistentVolumeClaims);
  const volumes = client.informer(persistentVolumes);
  const classes = client.informer(storageClasses);
  const nodeInformer = client.informer(nodes);

  function tell(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    recorder.event(referenceTo(persistentVolumeClaims, claim), type, reason, message);
  }

  /** The class whose volume the claim waits for from here. */
  function classToProvision(claim: PersistentVolumeClaim): StorageClass | undefined {
    const { storageProvisioner, betaStorageProvisioner, selectedNode } = VOLUME_ANNOTATIONS;
    const provisioner = annotationOf(claim, storageProvisioner) ?? annotationOf(claim, betaStorageProvisioner);
    if (provisioner !== LOCAL_PATH_PROVISIONER || claim.spec.volumeName || isBeingDeleted(claim)) return undefined;
    const storageClass = classes.get(storageClassOf(claim));
    if (storageClass?.provisioner !== LOCAL_PATH_PROVISIONER) return undefined;
    const isDelayed = isBindingDelayed(storageClass);
    return isDelayed && annotationOf(claim, selectedNode) === undefined ? undefined : storageClass;
  }

  async function syncClaim(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const claim = claims.get(name, namespace);
    const storageClass = claim && classToProvision(claim);
    if (claim === undefined || storageClass === undefined || volumes.get(volumeName(claim)) !== undefined) return;
    const selected = annotationOf(claim, VOLUME_ANNOTATIONS.selectedNode);
    const node = selected === undefined ? undefined : nodeInformer.get(selected);
    if (selected !== undefined && node === undefined) return reschedule(claim, selected);
    const reason = refusal(claim, node);
    if (reason !== undefined || node === undefined) {
      const text = `failed to provision volume with StorageClass "${storageClass.metadata.name}": ${reason}`;
      tell(claim, 'Warning', 'ProvisioningFailed', text);
      return;
    }
    tell(claim, 'Normal', 'Provisioning', `External provisioner is provisioning volume for claim "${key}"`);
    try {
      await client.create(persistentVolumes, volumeFor(claim, storageClass, node, options.root));
    } catch (error) {
      if (!isStatusReason(error, 'AlreadyExists')) throw error;
    }
    tell(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${volumeName(claim)}`);
  }

  /** The node is gone: the scheduler is to choose another one. */
  async function reschedule(claim: PersistentVolumeClaim, node: string): Promise<void> {
    tell(claim, 'Warning', 'ProvisioningFailed', `failed to get target node: node "${node}" not found`);
    const { [VOLUME_ANNOTATIONS.selectedNode]: _node, ...annotations } = claim.metadata.annotations ?? {};
    await client.update(persistentVolumeClaims, { ...claim, metadata: { ...claim.metadata, annotations } });
  }

  async function syncVolume(name: string): Promise<number | undefined> {
    const volume = volumes.get(name);
    const folder = volume && folderOf(volume);
    if (volume === undefined || folder === undefined) return undefined;
    const todo = fate(volume);
    if (todo === 'keep') return undefined;
    if (todo === 'delete') {
      const node = nodeInformer.get(folder.node);
      const wait = node === undefined ? waitForNode(volume) : 0;
      if (wait > 0) return wait;
      if (node === undefined)
        log.warn('the node of a volume is gone, and its folder with it', { volume: name, ...folder });
      else await removeFolder(volume, node, folder.path);
      await remove(volume);
    }
    await letGo(name);
    return undefined;
  }

  /** Milliseconds until the node of a released volume is given up. */
  function waitForNode({ status }: PersistentVolume): number {
    const since = parseTime(status.lastPhaseTransitionTime) ?? clock.now();
    return since + NODE_GONE_MS - clock.now();
  }

  async function removeFolder(volume: PersistentVolume, node: Node, path: string): Promise<void> {
    try {
      await options.removeFolder(node, path);
    } catch (error) {
      const failure = new Error(`failed to delete ${path} on node ${node.metadata.name}`, { cause: error });
      recorder.event(referenceTo(persistentVolumes, volume), 'Warning', 'VolumeFailedDelete', errorText(failure));
      throw failure;
    }
  }

  async function remove(volume: PersistentVolume): Promise<void> {
    if (isBeingDeleted(volume)) return;
    const { name, uid } = volume.metadata;
    try {
      await client.delete(persistentVolumes, name, { preconditions: { uid } });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  async function letGo(name: string): Promise<void> {
    const volume = await client.get(persistentVolumes, name);
    if (!hasFinalizer(volume, FOLDER_FINALIZER)) return;
    const finalizers = volume.metadata.finalizers?.filter((finalizer) => finalizer !== FOLDER_FINALIZER) ?? [];
    await client.update(persistentVolumes, { ...volume, metadata: { ...volume.metadata, finalizers } });
  }

  return createController(
    {
      name: 'local-path-provisioner',
      workers: WORKERS,
      watches: [
        watch(claims, ({ type, object }, queue) => {
          if (type !== 'deleted' && classToProvision(object) !== undefined) queue.add(CLAIM + objectKey(object));
        }),
        watch(classes, ({ type }, queue) => {
          if (type === 'deleted') return;
          for (const claim of claims.list()) if (classToProvision(claim)) queue.add(CLAIM + objectKey(claim));
        }),
        watch(volumes, ({ type, object }, queue) => {
          if (type !== 'deleted' && fate(object) !== 'keep') queue.add(VOLUME + object.metadata.name);
        }),
        // A node that comes back has folders to remove.
        watch(nodeInformer, (event, queue) => {
          const wasReady = event.type === 'modified' && isReady(event.old);
          if (event.type === 'deleted' || wasReady || !isReady(event.object)) return;
          for (const volume of volumes.list()) {
            const isHere = folderOf(volume)?.node === event.object.metadata.name;
            if (isHere && fate(volume) !== 'keep') queue.add(VOLUME + volume.metadata.name);
          }
        }),
      ],
      async reconcile(key) {
        if (key.startsWith(VOLUME)) return syncVolume(key.slice(VOLUME.length));
        await syncClaim(key.slice(CLAIM.length));
        return undefined;
      },
    },
    context,
  );
}

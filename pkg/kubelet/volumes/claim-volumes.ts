/** Volumes that stand for claims (persistentVolumeClaim, ephemeral), and NFS: what upstream's attach and mount half does. */
import { stat } from 'node:fs/promises';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../api/resources.ts';
import { isBeingDeleted } from '../../apimachinery/object-meta.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import {
  annotationOf,
  type ClaimUse,
  claimsOfPod,
  foreignEphemeralClaim,
  LOCAL_PATH_PROVISIONER,
  VOLUME_ANNOTATIONS,
} from '../../apimachinery/volume-binding.ts';
import type { Client } from '../../client/client.ts';
import type { KubeletPaths } from '../kubelet-paths.ts';
import { ensureHostPath } from './host-path.ts';
import { ensureLocalFolder } from './local-folder.ts';
import { mountNfs } from './nfs.ts';
import { applyGroup, hasGroup } from './ownership.ts';
import type { MountedVolume, VolumePlugin } from './volume-manager.ts';

export interface ClaimVolumesOptions {
  readonly client: Pick<Client, 'get'>;
  readonly paths: KubeletPaths;
}

export class ClaimVolumes implements VolumePlugin {
  readonly #options: ClaimVolumesOptions;
  /** Volumes that are in place, by Pod uid and volume name: a Pod keeps the volume it began with. */
  readonly #mounted = new Map<string, Map<string, MountedVolume>>();

  constructor(options: ClaimVolumesOptions) {
    this.#options = options;
  }

  handles({ persistentVolumeClaim, ephemeral, nfs }: Volume): boolean {
    return persistentVolumeClaim !== undefined || ephemeral !== undefined || nfs !== undefined;
  }

  async setUp(pod: Pod, volume: Volume): Promise<MountedVolume> {
    const { uid } = pod.metadata;
    const known = this.#mounted.get(uid)?.get(volume.name);
    if (known !== undefined) return known;
    const mounted = volume.nfs === undefined ? await this.#claimed(pod, volume) : await this.#nfs(pod, volume);
    const volumes = this.#mounted.get(uid) ?? new Map<string, MountedVolume>();
    this.#mounted.set(uid, volumes.set(volume.name, mounted));
    return mounted;
  }

  /** What is mounted below the Pod's folder is unmounted with it. */
  async tearDown(uid: string): Promise<void> {
    this.#mounted.delete(uid);
  }

  async #nfs(pod: Pod, { name, nfs }: Volume): Promise<MountedVolume> {
    const hostPath = this.#options.paths.volume(pod.metadata.uid, 'nfs', name);
    if (nfs !== undefined) await mountNfs(nfs, hostPath, []);
    return { hostPath, readOnly: nfs?.readOnly === true, trusted: false };
  }

  async #claimed(pod: Pod, volume: Volume): Promise<MountedVolume> {
    const use = claimsOfPod(pod).find((candidate) => candidate.volume.name === volume.name);
    if (use === undefined) throw new Error('no volume plugin matched');
    const bound = await this.#boundVolume(pod, use);
    const mounted = await this.#mount(pod, bound);
    return { ...mounted, readOnly: mounted.readOnly || volume.persistentVolumeClaim?.readOnly === true };
  }

  /** The volume behind a claim. Throws with upstream's words when the claim is not ready for the Pod. */
  async #boundVolume(pod: Pod, use: ClaimUse): Promise<PersistentVolume> {
    const { client } = this.#options;
    const { namespace } = pod.metadata;
    try {
      const claim = await client.get(persistentVolumeClaims, use.claimName, namespace);
      checkClaim(pod, use, claim);
      const volume = await client.get(persistentVolumes, claim.spec.volumeName ?? '');
      if (volume.spec.claimRef?.uid !== claim.metadata.uid) {
        throw new Error(`PV ${volume.metadata.name} is not bound to this PVC`);
      }
      return volume;
    } catch (error) {
      // To a node without rights to it, a volume that is not bound yet is as good as none.
      const cause = isStatusReason(error, 'Forbidden') ? new Error('PVC is not bound') : error;
      throw new Error(`error processing PVC ${namespace}/${use.claimName}`, { cause });
    }
  }

  async #mount(pod: Pod, volume: PersistentVolume): Promise<MountedVolume> {
    const { spec, metadata } = volume;
    if (spec.volumeMode === 'Block') {
      throw new Error(`volume ${metadata.name} has volumeMode Block, which kedge does not support: use Filesystem`);
    }
    const isOwn = annotationOf(volume, VOLUME_ANNOTATIONS.provisionedBy) === LOCAL_PATH_PROVISIONER;
    const path = spec.local?.path ?? spec.hostPath?.path;
    if (isOwn && path !== undefined) await ensureLocalFolder(path);
    if (spec.hostPath !== undefined) {
      await ensureHostPath(spec.hostPath);
      return { hostPath: spec.hostPath.path, readOnly: false, trusted: false };
    }
    if (spec.local !== undefined) return localVolume(pod, spec.local.path);
    if (spec.nfs !== undefined) {
      const hostPath = this.#options.paths.volume(pod.metadata.uid, 'nfs', metadata.name);
      await mountNfs(spec.nfs, hostPath, spec.mountOptions ?? []);
      return { hostPath, readOnly: spec.nfs.readOnly === true, trusted: false };
    }
    if (spec.csi !== undefined) {
      throw new Error(`volume ${metadata.name} needs CSI driver ${spec.csi.driver}: kedge does not support CSI yet`);
    }
    throw new Error(`no volume plugin matched: volume ${metadata.name} is of a kind that kedge does not support`);
  }
}

function checkClaim(pod: Pod, { isEphemeral }: ClaimUse, claim: PersistentVolumeClaim): void {
  const foreign = isEphemeral ? foreignEphemeralClaim(pod, claim) : undefined;
  if (foreign !== undefined) throw new Error(foreign);
  // A Pod that runs goes on: only new ones must not take hold of a claim on its way out.
  if (isBeingDeleted(claim) && !hasStarted(pod)) throw new Error('PVC is being deleted');
  if (claim.status.phase !== 'Bound' || !claim.spec.volumeName) throw new Error('PVC is not bound');
}

const hasStarted = ({ status }: Pod): boolean =>
  (status.containerStatuses ?? []).some(({ containerID }) => containerID);

async function localVolume(pod: Pod, path: string): Promise<MountedVolume> {
  const info = await stat(path);
  if (info.isBlockDevice()) {
    throw new Error(`${path} is a block device: mount it, and give the folder it is mounted at`);
  }
  const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
  if (fsGroup !== undefined && !hasStarted(pod)) {
    const isLeftAlone = fsGroupChangePolicy === 'OnRootMismatch' && (await hasGroup(path, fsGroup, 'write'));
    if (!isLeftAlone) await applyGroup(path, fsGroup, 'write');
  }
  return { hostPath: path, readOnly: false, trusted: false };
}

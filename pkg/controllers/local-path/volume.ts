/** Volumes of the class `local-path`: folders on the disk of one node, as rancher/local-path-provisioner lays them out. Pure. */
import { posix } from 'node:path';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import type { StorageClass } from '../../api/generated/storage-v1.ts';
import { persistentVolumeClaims } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { hasFinalizer, isBeingDeleted } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { LOCAL_PATH_PROVISIONER, VOLUME_ANNOTATIONS } from '../../apimachinery/volume-binding.ts';

/** Keeps a volume until its folder is gone, however the volume came to be deleted. */
export const FOLDER_FINALIZER = 'external-provisioner.volume.kubernetes.io/finalizer';
const SELECTED_NODE = 'local.path.provisioner/selected-node';
const HOSTNAME = 'kubernetes.io/hostname';
const SINGLE_NODE_MODES: ReadonlySet<string> = new Set(['ReadWriteOnce', 'ReadWriteOncePod']);

/** Why no volume can be made for `claim`; undefined when one can. */
export function refusal(claim: PersistentVolumeClaim, node: Node | undefined): string | undefined {
  const { selector, accessModes = [], volumeMode } = claim.spec;
  if (selector !== undefined) return 'claim.Spec.Selector is not supported';
  if (!accessModes.every((mode) => SINGLE_NODE_MODES.has(mode))) {
    return 'NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes';
  }
  if (volumeMode === 'Block') return 'volume mode Block is not supported';
  return node === undefined ? 'configuration error, no node was specified' : undefined;
}

export const volumeName = (claim: PersistentVolumeClaim): string => `pvc-${claim.metadata.uid}`;

/** The kind of volume: what claim or class ask for by annotation, a plain host path otherwise. */
function volumeType(claim: PersistentVolumeClaim, storageClass: StorageClass): string {
  return (
    claim.metadata.annotations?.['volumeType'] ??
    storageClass.metadata.annotations?.['defaultVolumeType'] ??
    'hostPath'
  ).toLowerCase();
}

/** The volume for `claim` on `node`; `root` is the folder that holds the folders of all volumes. */
export function volumeFor(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  node: Node,
  root: string,
): Input<PersistentVolume> {
  const name = volumeName(claim);
  const { namespace = '', name: claimName } = claim.metadata;
  const path = posix.join(root, `${name}_${namespace}_${claimName}`);
  const isLocal = volumeType(claim, storageClass) === 'local';
  const hostname = node.metadata.labels?.[HOSTNAME] ?? node.metadata.name;
  const { resourceVersion: _version, ...claimRef } = referenceTo(persistentVolumeClaims, claim);
  return {
    metadata: {
      name,
      annotations: {
        [VOLUME_ANNOTATIONS.provisionedBy]: LOCAL_PATH_PROVISIONER,
        [SELECTED_NODE]: node.metadata.name,
      },
      finalizers: [FOLDER_FINALIZER],
    },
    spec: {
      accessModes: claim.spec.accessModes ?? [],
      capacity: { storage: claim.spec.resources?.requests?.['storage'] ?? '0' },
      claimRef: { ...claimRef },
      ...(isLocal ? { local: { path } } : { hostPath: { path, type: 'DirectoryOrCreate' } }),
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME, operator: 'In', values: [hostname] }] }],
        },
      },
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata.name,
      volumeMode: 'Filesystem',
    },
  } as Input<PersistentVolume>;
}

/** A volume of this provisioner: where its folder is. */
export interface LocalFolder {
  /** Name of the node. */
  readonly node: string;
  readonly path: string;
}

/** The folder of a volume that this provisioner made; undefined for any other volume. */
export function folderOf({ metadata, spec }: PersistentVolume): LocalFolder | undefined {
  if (metadata.annotations?.[VOLUME_ANNOTATIONS.provisionedBy] !== LOCAL_PATH_PROVISIONER) return undefined;
  const path = spec.local?.path ?? spec.hostPath?.path;
  const [expression] = spec.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions ?? [];
  const node = metadata.annotations[SELECTED_NODE] ?? expression?.values?.[0];
  return path === undefined || node === undefined ? undefined : { node, path };
}

/**
 * What becomes of a volume of this provisioner: `delete` takes folder and volume away, `letGo` only the hold on a
 * volume that its administrator deletes while its data are to stay.
 */
export function fate(volume: PersistentVolume): 'keep' | 'delete' | 'letGo' {
  const { persistentVolumeReclaimPolicy: policy } = volume.spec;
  const isReleased = volume.status.phase === 'Released' || volume.status.phase === 'Failed';
  if (isBeingDeleted(volume)) {
    if (volume.status.phase === 'Bound' || !hasFinalizer(volume, FOLDER_FINALIZER)) return 'keep';
    return policy === 'Delete' ? 'delete' : 'letGo';
  }
  return policy === 'Delete' && isReleased && volume.spec.claimRef !== undefined ? 'delete' : 'keep';
}

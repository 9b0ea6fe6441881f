import type { PersistentVolume, PersistentVolumeSpec } from '../../api/generated/core-v1.ts';
import type { ObjectMeta } from '../../api/generated/meta-v1.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { nodeSelectorTermWarnings } from './node-label-warnings.ts';

type Warnings = Generator<string, void>;

const CLASS = 'volume.beta.kubernetes.io/storage-class';
const MOUNT_OPTIONS = 'volume.beta.kubernetes.io/mount-options';

const PLUGINS: Readonly<Partial<Record<keyof PersistentVolumeSpec, string>>> = {
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

const annotated = (key: string, text: string): string => `metadata.annotations[${key}]: ${text}`;

/** Of volumes and claims that name their class as one did before there was a field for it. */
export function* storageClassWarning({ annotations }: ObjectMeta): Warnings {
  if (annotations?.[CLASS] === undefined) return;
  yield annotated(CLASS, 'deprecated since v1.8; use "storageClassName" attribute instead');
}

/** Upstream's GetWarningsForPersistentVolume. */
export function* volumeWarnings({ metadata, spec }: PersistentVolume): Warnings {
  yield* storageClassWarning(metadata);
  if (metadata.annotations?.[MOUNT_OPTIONS] !== undefined) {
    yield annotated(MOUNT_OPTIONS, 'deprecated since v1.31; use "mountOptions" attribute instead');
  }
  if (spec.persistentVolumeReclaimPolicy === 'Recycle') {
    yield 'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.';
  }
  const terms = FieldPath.of('spec', 'nodeAffinity', 'required', 'nodeSelectorTerms');
  for (const [index, term] of (spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).entries()) {
    yield* nodeSelectorTermWarnings(term, terms.index(index), false);
  }
  for (const [field, text] of Object.entries(PLUGINS)) {
    const shown = field === 'storageos' ? 'storageOS' : field;
    if (spec[field as keyof PersistentVolumeSpec] !== undefined) yield `spec.${shown}: ${text}`;
  }
}

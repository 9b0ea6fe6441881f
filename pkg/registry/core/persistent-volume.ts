import type { PersistentVolume } from '../../api/generated/core-v1.ts';
import { persistentVolumes } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe, statusPart } from '../descriptor.ts';
import { roundAmounts } from './resource-list.ts';
import { validateVolume, validateVolumeUpdate } from './validation/persistent-volume.ts';
import { accessModesText, phaseText, storageClassText } from './volume-text.ts';
import { volumeWarnings } from './volume-warnings.ts';

export const persistentVolume = describe<PersistentVolume>(persistentVolumes, {
  shortNames: ['pv'],
  generation: false,
  returnsDeleted: true,
  defaults({ spec }) {
    spec.persistentVolumeReclaimPolicy ||= 'Retain';
    spec.volumeMode ??= 'Filesystem';
    roundAmounts(spec.capacity);
    if (spec.hostPath !== undefined) spec.hostPath.type ??= '';
  },
  prepareForCreate(draft, { now }) {
    draft.status = { phase: 'Pending', lastPhaseTransitionTime: now };
  },
  warnings: (object) => volumeWarnings(object),
  validate: validateVolume,
  validateUpdate: validateVolumeUpdate,
  updateSteps: ['object', 'object', 'change'],
  subresources: {
    status: {
      ...statusPart<PersistentVolume>(),
      take(draft, submitted, { now }) {
        const before = draft.status;
        draft.status = { ...submitted.status };
        // The time is the server's, unless the writer moves it on purpose.
        if (draft.status.phase !== before.phase) {
          if (draft.status.lastPhaseTransitionTime === before.lastPhaseTransitionTime) {
            draft.status.lastPhaseTransitionTime = now;
          }
        } else if (draft.status.lastPhaseTransitionTime === undefined && before.lastPhaseTransitionTime) {
          draft.status.lastPhaseTransitionTime = before.lastPhaseTransitionTime;
        }
      },
    },
  },
  columns: [
    nameColumn,
    {
      name: 'Capacity',
      type: 'string',
      doc: ['core.v1.PersistentVolumeSpec', 'capacity'],
      cell: ({ spec }) => spec.capacity?.['storage'] ?? '0',
    },
    {
      name: 'Access Modes',
      type: 'string',
      doc: ['core.v1.PersistentVolumeSpec', 'accessModes'],
      cell: ({ spec }) => accessModesText(spec.accessModes),
    },
    {
      name: 'Reclaim Policy',
      type: 'string',
      doc: ['core.v1.PersistentVolumeSpec', 'persistentVolumeReclaimPolicy'],
      cell: ({ spec }) => spec.persistentVolumeReclaimPolicy ?? '',
    },
    {
      name: 'Status',
      type: 'string',
      doc: ['core.v1.PersistentVolumeStatus', 'phase'],
      cell: (volume) => phaseText(volume, volume.status.phase),
    },
    {
      name: 'Claim',
      type: 'string',
      description:
        'claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding',
      cell: ({ spec: { claimRef } }) =>
        claimRef === undefined ? '' : `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}`,
    },
    {
      name: 'StorageClass',
      type: 'string',
      description: 'StorageClass of the pv',
      cell: (volume) => storageClassText(volume, volume.spec.storageClassName),
    },
    {
      name: 'VolumeAttributesClass',
      type: 'string',
      description: 'VolumeAttributesClass of the pv',
      cell: ({ spec }) => spec.volumeAttributesClassName ?? '<unset>',
    },
    {
      name: 'Reason',
      type: 'string',
      doc: ['core.v1.PersistentVolumeStatus', 'reason'],
      cell: ({ status }) => status.reason ?? '',
    },
    ageColumn,
    {
      name: 'VolumeMode',
      type: 'string',
      priority: 1,
      doc: ['core.v1.PersistentVolumeSpec', 'volumeMode'],
      cell: ({ spec }) => spec.volumeMode ?? '<unset>',
    },
  ],
});

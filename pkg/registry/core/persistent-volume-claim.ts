import type { PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { defaultClaimSpec } from './claim-defaults.ts';
import { claimSpecWarnings } from './pod-warnings.ts';
import { roundAmounts } from './resource-list.ts';
import { validateClaim, validateClaimStatus, validateClaimUpdate } from './validation/claim.ts';
import { accessModesText, phaseText, storageClassText } from './volume-text.ts';
import { storageClassWarning } from './volume-warnings.ts';

export const persistentVolumeClaim = describe<PersistentVolumeClaim>(persistentVolumeClaims, {
  shortNames: ['pvc'],
  generation: false,
  returnsDeleted: true,
  defaults({ spec, status }) {
    defaultClaimSpec(spec);
    roundAmounts(status?.capacity, status?.allocatedResources);
    alignDataSources(spec);
  },
  prepareForCreate(draft) {
    draft.status = { phase: 'Pending' };
  },
  *warnings({ metadata, spec }) {
    yield* storageClassWarning(metadata);
    yield* claimSpecWarnings(spec, FieldPath.of('spec'));
  },
  validate: validateClaim,
  validateUpdate: validateClaimUpdate,
  updateSteps: ['object', 'metadata', 'object', 'change'],
  validateStatus: validateClaimStatus,
  columns: [
    nameColumn,
    {
      name: 'Status',
      type: 'string',
      doc: ['core.v1.PersistentVolumeClaimStatus', 'phase'],
      cell: (claim) => phaseText(claim, claim.status.phase),
    },
    {
      name: 'Volume',
      type: 'string',
      doc: ['core.v1.PersistentVolumeClaimSpec', 'volumeName'],
      cell: ({ spec }) => spec.volumeName ?? '',
    },
    {
      name: 'Capacity',
      type: 'string',
      doc: ['core.v1.PersistentVolumeClaimStatus', 'capacity'],
      cell: ({ spec, status }) => (spec.volumeName ? (status.capacity?.['storage'] ?? '0') : ''),
    },
    {
      name: 'Access Modes',
      type: 'string',
      doc: ['core.v1.PersistentVolumeClaimStatus', 'accessModes'],
      cell: ({ spec, status }) => (spec.volumeName ? accessModesText(status.accessModes) : ''),
    },
    {
      name: 'StorageClass',
      type: 'string',
      description: 'StorageClass of the pvc',
      cell: (claim) => storageClassText(claim, claim.spec.storageClassName),
    },
    {
      name: 'VolumeAttributesClass',
      type: 'string',
      description: 'VolumeAttributesClass of the pvc',
      cell: ({ spec }) => spec.volumeAttributesClassName ?? '<unset>',
    },
    ageColumn,
    {
      name: 'VolumeMode',
      type: 'string',
      priority: 1,
      doc: ['core.v1.PersistentVolumeClaimSpec', 'volumeMode'],
      cell: ({ spec }) => spec.volumeMode ?? '<unset>',
    },
  ],
});

/** The two ways to name a source say the same, as long as it is one of this namespace. */
function alignDataSources(spec: PersistentVolumeClaim['spec'] | undefined): void {
  if (spec === undefined) return;
  if (spec.dataSource != null && spec.dataSourceRef === undefined) {
    spec.dataSourceRef = { ...spec.dataSource };
  } else if (spec.dataSource == null && spec.dataSourceRef !== undefined && !spec.dataSourceRef.namespace) {
    const { apiGroup = null, kind, name } = spec.dataSourceRef;
    spec.dataSource = { apiGroup, kind, name };
  }
}

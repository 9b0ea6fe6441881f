import type { PersistentVolumeClaimSpec, TypedObjectReference } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import { dnsSubdomain, type Findings } from '../../validation/rules.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const VOLUME_MODES = ['Block', 'Filesystem'];

/** Access modes of claims and volumes. */
export function* validateAccessModes(modes: readonly string[], path: FieldPath): Findings {
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) yield fieldError.notSupported(path, mode, ACCESS_MODES);
  if (modes.length > 1 && modes.includes('ReadWriteOncePod')) {
    yield fieldError.forbidden(path, 'may not use ReadWriteOncePod with other access modes');
  }
}

export function* validateVolumeMode(mode: string | undefined, path: FieldPath): Findings {
  if (mode !== undefined && !VOLUME_MODES.includes(mode)) yield fieldError.notSupported(path, mode, VOLUME_MODES);
}

/** Upstream's ValidatePersistentVolumeClaimSpec. */
export function* validateClaimSpec(spec: PersistentVolumeClaimSpec, path: FieldPath): Findings {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) yield fieldError.required(path.child('accessModes'), 'at least 1 access mode is required');
  yield* validateLabelSelector(spec.selector, path.child('selector'));
  yield* validateAccessModes(modes, path.child('accessModes'));
  const size = spec.resources?.requests?.['storage'];
  if (size === undefined) yield fieldError.required(path.child('resources').key('storage'));
  else if (parseQuantity(size).nanos <= 0n) {
    yield fieldError.invalid(path.child('resources').key('storage'), size, 'must be greater than zero');
  }
  if (spec.storageClassName) yield* dnsSubdomain(path.child('storageClassName'), spec.storageClassName);
  yield* validateVolumeMode(spec.volumeMode, path.child('volumeMode'));
  if (spec.dataSource != null) yield* validateDataSource(spec.dataSource, path.child('dataSource'));
  if (spec.dataSourceRef !== undefined) yield* validateDataSource(spec.dataSourceRef, path.child('dataSourceRef'));
}

function* validateDataSource(source: TypedObjectReference, path: FieldPath): Findings {
  if (!source.name) yield fieldError.required(path.child('name'));
  if (!source.kind) yield fieldError.required(path.child('kind'));
  if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim') {
    const text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    yield fieldError.invalid(path, source.kind, text);
  }
}

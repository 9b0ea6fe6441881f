import type { PersistentVolumeClaimSpec, TypedObjectReference } from '../../../api/generated/core-v1.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import { dnsLabel, dnsSubdomain, type Findings } from '../../validation/rules.ts';
import { resourceAmount } from './resources.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const VOLUME_MODES = ['Block', 'Filesystem'];

/** Access modes of claims and volumes. */
export function* validateAccessModes(modes: readonly string[], path: FieldPath): Findings {
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) yield fieldError.notSupported(path, mode, ACCESS_MODES);
  const others = modes.some((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode));
  if (others && modes.includes('ReadWriteOncePod')) {
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
  } else yield* resourceAmount('storage', size, path.child('resources').key('storage'));
  if (spec.storageClassName) yield* dnsSubdomain(path.child('storageClassName'), spec.storageClassName);
  yield* validateVolumeMode(spec.volumeMode, path.child('volumeMode'));
  const { dataSource, dataSourceRef, volumeAttributesClassName } = spec;
  if (dataSource != null) yield* validateDataSource(dataSource, path.child('dataSource'));
  if (dataSourceRef != null) {
    yield* validateDataSource(dataSourceRef, path.child('dataSourceRef'));
    if (dataSourceRef.namespace) yield* dnsLabel(path.child('dataSourceRef', 'namespace'), dataSourceRef.namespace);
  }
  if (dataSource != null && dataSourceRef != null) yield* sameSource(dataSource, dataSourceRef, path);
  if (volumeAttributesClassName) {
    yield* dnsSubdomain(path.child('volumeAttributesClassName'), volumeAttributesClassName);
  }
}

function* validateDataSource(source: Omit<TypedObjectReference, 'namespace'>, path: FieldPath): Findings {
  if (!source.name) yield fieldError.required(path.child('name'));
  if (!source.kind) yield fieldError.required(path.child('kind'));
  if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim') {
    const text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    yield fieldError.invalid(path, source.kind, text);
  }
  if (source.apiGroup) yield* dnsSubdomain(path.child('apiGroup'), source.apiGroup);
}

/** Upstream prints a path of its own in place of a value, and of it nothing that one could read. */
function* sameSource(
  source: Omit<TypedObjectReference, 'namespace'>,
  reference: TypedObjectReference,
  path: FieldPath,
): Findings {
  const [told, text] = [new Verbatim('{}'), 'may not be specified when dataSourceRef.namespace is specified'];
  if (reference.namespace) return yield fieldError.invalid(path, told, text);
  const isSame =
    (source.apiGroup ?? '') === (reference.apiGroup ?? '') &&
    source.kind === reference.kind &&
    source.name === reference.name;
  if (!isSame) yield fieldError.invalid(path, told, 'must match dataSourceRef');
}

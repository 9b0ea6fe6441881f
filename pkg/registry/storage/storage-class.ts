import type { TopologySelectorTerm } from '../../api/generated/core-v1.ts';
import type { StorageClass } from '../../api/generated/storage-v1.ts';
import { storageClasses } from '../../api/resources.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { isDefaultClass } from '../../apimachinery/volume-binding.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { nodeLabelWarning } from '../core/node-label-warnings.ts';
import { describe } from '../descriptor.ts';
import { each, type Findings, oneOf, unchanged } from '../validation/rules.ts';

const CLASS = 'storage.v1.StorageClass';

/** Upstream's ValidateStorageClass. */
function* validate(object: StorageClass): Findings {
  const provisioner = FieldPath.of('provisioner');
  if (!object.provisioner) yield fieldError.required(provisioner);
  else yield* each(provisioner, object.provisioner.toLowerCase(), isQualifiedName);
  yield* validateParameters(object.parameters ?? {});
  yield* oneOf(FieldPath.of('reclaimPolicy'), object.reclaimPolicy, ['Delete', 'Retain']);
  yield* oneOf(FieldPath.of('volumeBindingMode'), object.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']);
  yield* validateTopologies(object.allowedTopologies ?? [], FieldPath.of('allowedTopologies'));
}

function* validateParameters(parameters: Readonly<Record<string, string>>): Findings {
  const path = FieldPath.of('parameters');
  const entries = Object.entries(parameters);
  if (entries.length > 512) yield fieldError.tooLong(path, 512);
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === '') yield fieldError.invalid(path, key, 'field can not be empty.');
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > 256 * 1024) yield fieldError.tooLong(path, 256 * 1024);
}

function* validateTopologies(terms: readonly TopologySelectorTerm[], path: FieldPath): Findings {
  for (const [index, { matchLabelExpressions }] of terms.entries()) {
    const seen = new Set<string>();
    for (const [position, { key, values }] of (matchLabelExpressions ?? []).entries()) {
      const at = path.index(index).child('matchLabelExpressions').index(position);
      if ((values ?? []).length === 0) yield fieldError.required(at.child('values'));
      for (const [place, value] of (values ?? []).entries()) {
        if (values.indexOf(value) < place) yield fieldError.duplicate(at.child('values').index(place), value);
      }
      yield* each(at.child('key'), key, isQualifiedName);
      if (seen.has(key)) yield fieldError.duplicate(at.child('key'), key);
      seen.add(key);
    }
    const twin = terms.findIndex((other) => semanticEqual(other, terms[index]));
    if (twin < index) yield fieldError.duplicate(path.index(index).child('matchLabelExpressions'), '');
  }
}

/** Upstream's ValidateStorageClassUpdate: how volumes are made is fixed. */
function* validateUpdate(object: StorageClass, old: StorageClass): Findings {
  const text = 'updates to parameters are forbidden.';
  if (!semanticEqual(object.parameters ?? {}, old.parameters ?? {})) yield fieldError.forbidden('parameters', text);
  if (object.provisioner !== old.provisioner) {
    yield fieldError.forbidden('provisioner', 'updates to provisioner are forbidden.');
  }
  if (object.reclaimPolicy !== old.reclaimPolicy) {
    yield fieldError.forbidden('reclaimPolicy', 'updates to reclaimPolicy are forbidden.');
  }
  yield* unchanged(FieldPath.of('volumeBindingMode'), object.volumeBindingMode, old.volumeBindingMode);
}

export const storageClass = describe<StorageClass>(storageClasses, {
  shortNames: ['sc'],
  returnsDeleted: true,
  defaults(draft) {
    draft.reclaimPolicy ??= 'Delete';
    draft.volumeBindingMode ??= 'Immediate';
  },
  *warnings({ allowedTopologies }) {
    for (const [index, { matchLabelExpressions }] of (allowedTopologies ?? []).entries()) {
      for (const [at, { key }] of (matchLabelExpressions ?? []).entries()) {
        const text = nodeLabelWarning(key);
        const path = FieldPath.of('allowedTopologies').index(index).child('matchLabelExpressions').index(at);
        if (text !== undefined) yield `${path.child('key')}: ${text}`;
      }
    }
  },
  validate,
  validateUpdate,
  columns: [
    {
      ...nameColumn,
      cell: (object) => `${object.metadata.name}${isDefaultClass(object as StorageClass) ? ' (default)' : ''}`,
    },
    { name: 'Provisioner', type: 'string', doc: [CLASS, 'provisioner'], cell: ({ provisioner }) => provisioner },
    {
      name: 'ReclaimPolicy',
      type: 'string',
      doc: [CLASS, 'reclaimPolicy'],
      cell: ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    },
    {
      name: 'VolumeBindingMode',
      type: 'string',
      doc: [CLASS, 'volumeBindingMode'],
      cell: ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate',
    },
    {
      name: 'AllowVolumeExpansion',
      type: 'string',
      doc: [CLASS, 'allowVolumeExpansion'],
      cell: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    },
    ageColumn,
  ],
});

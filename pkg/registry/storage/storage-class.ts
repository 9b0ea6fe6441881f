import type { TopologySelectorTerm } from '../../api/generated/core-v1.ts';
import type { StorageClass } from '../../api/generated/storage-v1.ts';
import { storageClasses } from '../../api/resources.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isDefaultClass } from '../../apimachinery/volume-binding.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { nodeLabelWarning } from '../core/node-label-warnings.ts';
import { describe } from '../descriptor.ts';
import { type Findings, qualifiedName, unchanged } from '../validation/rules.ts';
import { validateParameters, validateProvisioner } from './validation.ts';

const CLASS = 'storage.v1.StorageClass';
const POLICIES = ['Delete', 'Retain'];
const MODES = ['Immediate', 'WaitForFirstConsumer'];

/** Upstream's ValidateStorageClass. */
function* validate(object: StorageClass): Findings {
  yield* validateProvisioner(object.provisioner, FieldPath.of('provisioner'));
  yield* validateParameters(object.parameters, true, FieldPath.of('parameters'));
  const { reclaimPolicy: policy, volumeBindingMode: mode = '' } = object;
  if (policy && !POLICIES.includes(policy)) {
    yield fieldError.notSupported(FieldPath.of('reclaimPolicy'), policy, POLICIES);
  }
  if (!MODES.includes(mode)) yield fieldError.notSupported(FieldPath.of('volumeBindingMode'), mode, MODES);
  yield* validateTopologies(object.allowedTopologies ?? [], FieldPath.of('allowedTopologies'));
}

/** Terms that say the same are refused; one that says nothing counts as a twin of every term. */
function* validateTopologies(terms: readonly TopologySelectorTerm[], path: FieldPath): Findings {
  const known = terms.map(() => '');
  for (const [index, { matchLabelExpressions }] of terms.entries()) {
    const expressions = new Map<string, string>();
    for (const [position, { key, values }] of (matchLabelExpressions ?? []).entries()) {
      const at = path.index(index).child('matchLabelExpressions').index(position);
      if ((values ?? []).length === 0) yield fieldError.required(at.child('values'));
      for (const [place, value] of (values ?? []).entries()) {
        if (values.indexOf(value) < place) yield fieldError.duplicate(at.child('values').index(place), value);
      }
      yield* qualifiedName(at.child('key'), key);
      if (expressions.has(key)) yield fieldError.duplicate(at.child('key'), key);
      expressions.set(key, JSON.stringify([...new Set(values)].sort()));
    }
    const meaning = [...expressions].map(String).sort().join(';');
    for (const other of known) {
      if (other === meaning) yield fieldError.duplicate(path.index(index).child('matchLabelExpressions'), '');
    }
    known.push(meaning);
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
  updateSteps: ['object', 'metadata', 'change'],
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

import type { VolumeAttributesClass } from '../../api/generated/storage-v1.ts';
import { volumeAttributesClasses } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { csiDriverName } from '../core/validation/volumes.ts';
import { describe } from '../descriptor.ts';
import { type Findings, unchanged } from '../validation/rules.ts';

/** Upstream's ValidateVolumeAttributesClass. */
function* validate({ driverName, parameters }: VolumeAttributesClass): Findings {
  yield* csiDriverName(driverName, FieldPath.of('driverName'));
  if (Object.keys(parameters ?? {}).length === 0) {
    yield fieldError.required(FieldPath.of('parameters'), 'must contain at least one key/value pair');
  }
}

function* validateUpdate(object: VolumeAttributesClass, old: VolumeAttributesClass): Findings {
  yield* unchanged(FieldPath.of('driverName'), object.driverName, old.driverName);
  yield* unchanged(FieldPath.of('parameters'), object.parameters, old.parameters);
}

export const volumeAttributesClass = describe<VolumeAttributesClass>(volumeAttributesClasses, {
  shortNames: ['vac'],
  allowUnconditionalUpdate: false,
  validate,
  validateUpdate,
  columns: [
    nameColumn,
    {
      name: 'DriverName',
      type: 'string',
      doc: ['storage.v1.VolumeAttributesClass', 'driverName'],
      cell: ({ driverName }) => driverName,
    },
    ageColumn,
  ],
});

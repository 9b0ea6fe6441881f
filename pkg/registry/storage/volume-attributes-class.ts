import type { VolumeAttributesClass } from '../../api/generated/storage-v1.ts';
import { volumeAttributesClasses } from '../../api/resources.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import type { Findings } from '../validation/rules.ts';
import { validateParameters, validateProvisioner } from './validation.ts';

/** Upstream's ValidateVolumeAttributesClass. */
function* validate({ driverName, parameters }: VolumeAttributesClass): Findings {
  yield* validateProvisioner(driverName, FieldPath.of('driverName'));
  yield* validateParameters(parameters, false, FieldPath.of('parameters'));
}

function* validateUpdate(object: VolumeAttributesClass, old: VolumeAttributesClass): Findings {
  for (const field of ['driverName', 'parameters'] as const) {
    if (semanticEqual(object[field], old[field])) continue;
    yield fieldError.forbidden(field, `updates to ${field} are forbidden.`);
  }
}

export const volumeAttributesClass = describe<VolumeAttributesClass>(volumeAttributesClasses, {
  shortNames: ['vac'],
  returnsDeleted: true,
  validate,
  updateSteps: ['metadata', 'change', 'object'],
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

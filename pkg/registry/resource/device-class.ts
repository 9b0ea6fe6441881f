import type { DeviceClass } from '../../api/generated/resource-v1.ts';
import { deviceClasses } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { isExtended } from '../core/validation/resource-names.ts';
import { describe } from '../descriptor.ts';
import type { Findings } from '../validation/rules.ts';
import { MAX_CONFIGURATIONS, validateConfiguration, validateSelectors } from './validation/claim.ts';
import { listOf } from './validation/lists.ts';

const SPEC = FieldPath.of('spec');

/** Upstream's validateDeviceClassSpec. */
function* validate({ spec }: DeviceClass): Findings {
  yield* validateSelectors(spec.selectors, SPEC.child('selectors'));
  yield* listOf(spec.config, MAX_CONFIGURATIONS, SPEC.child('config'), validateConfiguration);
  const name = spec.extendedResourceName;
  if (name === undefined || (name.includes('/') && isExtended(name))) return;
  yield fieldError.invalid(SPEC.child('extendedResourceName'), name, 'must be a valid extended resource name');
}

export const deviceClass = describe<DeviceClass>(deviceClasses, {
  generation: true,
  returnsDeleted: true,
  validate,
  updateSteps: ['object', 'metadata'],
  columns: [nameColumn, ageColumn],
});

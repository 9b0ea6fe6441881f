import type { ResourceClaimTemplate } from '../../api/generated/resource-v1.ts';
import { resourceClaimTemplates } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { unchanged } from '../validation/rules.ts';
import { defaultClaimSpec } from './resource-claim.ts';

export const resourceClaimTemplate = describe<ResourceClaimTemplate>(resourceClaimTemplates, {
  defaults({ spec }) {
    if (spec.spec !== undefined) defaultClaimSpec(spec.spec);
  },
  validateUpdate: ({ spec }, old) => unchanged(FieldPath.of('spec'), spec, old.spec),
  columns: [nameColumn, ageColumn],
});

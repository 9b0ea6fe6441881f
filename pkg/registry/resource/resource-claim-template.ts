import type { ResourceClaimTemplate } from '../../api/generated/resource-v1.ts';
import { resourceClaimTemplates } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { unchanged } from '../validation/rules.ts';
import { validateTemplateMetadata } from '../validation/template-metadata.ts';
import { defaultClaimSpec } from './resource-claim.ts';
import { validateClaimSpec } from './validation/claim.ts';

const SPEC = FieldPath.of('spec');

export const resourceClaimTemplate = describe<ResourceClaimTemplate>(resourceClaimTemplates, {
  returnsDeleted: true,
  defaults({ spec }) {
    if (spec.spec !== undefined) defaultClaimSpec(spec.spec);
  },
  *validateCreate({ spec }) {
    yield* validateTemplateMetadata(spec.metadata, SPEC.child('metadata'));
    yield* validateClaimSpec(spec.spec, SPEC.child('spec'));
  },
  validateUpdate: ({ spec }, old) => unchanged(SPEC, spec, old.spec),
  columns: [nameColumn, ageColumn],
});

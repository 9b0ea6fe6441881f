import type { ValidatingAdmissionPolicy } from '../../api/generated/admissionregistration-v1.ts';
import { validatingAdmissionPolicies } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateValidatingPolicy } from './validation/policy.ts';
import { defaultMatchResources } from './webhook-defaults.ts';

export const validatingAdmissionPolicy = describe<ValidatingAdmissionPolicy>(validatingAdmissionPolicies, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
  validate: validateValidatingPolicy,
  defaults({ spec }) {
    spec.failurePolicy ??= 'Fail';
    if (spec.matchConstraints !== undefined) defaultMatchResources(spec.matchConstraints);
  },
  columns: [
    nameColumn,
    {
      name: 'Validations',
      type: 'integer',
      description: 'Validations indicates the number of validation rules defined in this configuration',
      cell: ({ spec }) => (spec.validations ?? []).length,
    },
    {
      name: 'ParamKind',
      type: 'string',
      description: 'ParamKind specifies the kind of resources used to parameterize this policy',
      cell: ({ spec: { paramKind } }) =>
        paramKind === undefined ? '<unset>' : `${paramKind.apiVersion ?? ''}/${paramKind.kind ?? ''}`,
    },
    ageColumn,
  ],
});

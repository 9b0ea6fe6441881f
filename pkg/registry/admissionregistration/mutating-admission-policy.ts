import type { MutatingAdmissionPolicy } from '../../api/generated/admissionregistration-v1.ts';
import { mutatingAdmissionPolicies } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateMutatingPolicy } from './validation/policy.ts';
import { defaultMatchResources } from './webhook-defaults.ts';

export const mutatingAdmissionPolicy = describe<MutatingAdmissionPolicy>(mutatingAdmissionPolicies, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
  validate: validateMutatingPolicy,
  defaults({ spec }) {
    spec.failurePolicy ??= 'Fail';
    if (spec.matchConstraints !== undefined) defaultMatchResources(spec.matchConstraints);
  },
  columns: [
    nameColumn,
    {
      name: 'Mutations',
      type: 'integer',
      description: 'Mutations indicates the number of mutation rules defined in this configuration',
      cell: ({ spec }) => (spec.mutations ?? []).length,
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

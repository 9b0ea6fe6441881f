import type { ValidatingAdmissionPolicyBinding } from '../../api/generated/admissionregistration-v1.ts';
import { validatingAdmissionPolicyBindings } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { paramText, validateBinding } from './validation/policy-binding.ts';
import { defaultMatchResources } from './webhook-defaults.ts';

export const validatingAdmissionPolicyBinding = describe<ValidatingAdmissionPolicyBinding>(
  validatingAdmissionPolicyBindings,
  {
    categories: ['api-extensions'],
    generation: true,
    allowUnconditionalUpdate: false,
    defaults({ spec }) {
      if (spec.matchResources !== undefined) defaultMatchResources(spec.matchResources);
    },
    validate: ({ spec }) => validateBinding(spec, spec.validationActions ?? []),
    columns: [
      nameColumn,
      {
        name: 'PolicyName',
        type: 'string',
        description: 'PolicyName indicates the policy definition which the policy binding binded to',
        cell: ({ spec }) => spec.policyName ?? '',
      },
      {
        name: 'ParamRef',
        type: 'string',
        description: 'ParamRef indicates the param resource which sets the configration param',
        cell: ({ spec }) => paramText(spec.paramRef),
      },
      ageColumn,
    ],
  },
);

import type { MutatingAdmissionPolicyBinding } from '../../api/generated/admissionregistration-v1.ts';
import { mutatingAdmissionPolicyBindings } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { paramText, validateBinding } from './validation/policy-binding.ts';
import { defaultMatchResources } from './webhook-defaults.ts';

export const mutatingAdmissionPolicyBinding = describe<MutatingAdmissionPolicyBinding>(
  mutatingAdmissionPolicyBindings,
  {
    categories: ['api-extensions'],
    generation: true,
    allowUnconditionalUpdate: false,
    defaults({ spec }) {
      if (spec.matchResources !== undefined) defaultMatchResources(spec.matchResources);
    },
    validate: ({ spec }) => validateBinding(spec),
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

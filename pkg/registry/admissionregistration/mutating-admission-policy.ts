import type { MutatingAdmissionPolicy } from '../../api/generated/admissionregistration-v1.ts';
import { mutatingAdmissionPolicies } from '../../api/resources.ts';
import { describePolicy } from './policy-descriptor.ts';
import { validateMutatingPolicy } from './validation/policy.ts';

export const mutatingAdmissionPolicy = describePolicy<MutatingAdmissionPolicy>(mutatingAdmissionPolicies, {
  validate: validateMutatingPolicy,
  counted: {
    name: 'Mutations',
    type: 'integer',
    description: 'Mutations indicates the number of mutation rules defined in this configuration',
    cell: ({ spec }) => (spec.mutations ?? []).length,
  },
});

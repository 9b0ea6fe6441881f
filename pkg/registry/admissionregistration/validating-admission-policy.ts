import type { ValidatingAdmissionPolicy } from '../../api/generated/admissionregistration-v1.ts';
import { validatingAdmissionPolicies } from '../../api/resources.ts';
import { describePolicy } from './policy-descriptor.ts';
import { validatePolicyStatus, validateValidatingPolicy } from './validation/policy.ts';

export const validatingAdmissionPolicy = describePolicy<ValidatingAdmissionPolicy>(validatingAdmissionPolicies, {
  validate: validateValidatingPolicy,
  validateStatus: validatePolicyStatus,
  statusKeepsMetadata: 'all',
  counted: {
    name: 'Validations',
    type: 'integer',
    description: 'Validations indicates the number of validation rules defined in this configuration',
    cell: ({ spec }) => (spec.validations ?? []).length,
  },
});

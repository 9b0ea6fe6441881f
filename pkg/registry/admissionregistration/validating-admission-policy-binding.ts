import type { ValidatingAdmissionPolicyBinding } from '../../api/generated/admissionregistration-v1.ts';
import { validatingAdmissionPolicyBindings } from '../../api/resources.ts';
import { describeBinding } from './binding-descriptor.ts';

export const validatingAdmissionPolicyBinding = describeBinding<ValidatingAdmissionPolicyBinding>(
  validatingAdmissionPolicyBindings,
  ({ spec }) => spec.validationActions ?? [],
);

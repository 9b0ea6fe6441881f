import type { MutatingAdmissionPolicyBinding } from '../../api/generated/admissionregistration-v1.ts';
import { mutatingAdmissionPolicyBindings } from '../../api/resources.ts';
import { describeBinding } from './binding-descriptor.ts';

export const mutatingAdmissionPolicyBinding = describeBinding<MutatingAdmissionPolicyBinding>(
  mutatingAdmissionPolicyBindings,
  () => undefined,
);

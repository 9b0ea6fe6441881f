import { mutatingAdmissionPolicyBindings } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const mutatingAdmissionPolicyBinding = describe(mutatingAdmissionPolicyBindings, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
});

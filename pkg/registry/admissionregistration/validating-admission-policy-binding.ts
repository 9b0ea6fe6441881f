import { validatingAdmissionPolicyBindings } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const validatingAdmissionPolicyBinding = describe(validatingAdmissionPolicyBindings, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
});

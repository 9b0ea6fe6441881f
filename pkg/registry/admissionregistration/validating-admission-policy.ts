import { validatingAdmissionPolicies } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const validatingAdmissionPolicy = describe(validatingAdmissionPolicies, {
  categories: ['api-extensions'],
  allowUnconditionalUpdate: false,
});

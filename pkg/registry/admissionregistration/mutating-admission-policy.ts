import { mutatingAdmissionPolicies } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const mutatingAdmissionPolicy = describe(mutatingAdmissionPolicies, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
});

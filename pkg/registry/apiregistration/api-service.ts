import { apiServices } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const apiService = describe(apiServices, {
  categories: ['api-extensions'],
  generation: false,
  allowUnconditionalUpdate: false,
});

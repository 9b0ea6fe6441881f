import { customResourceDefinitions } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const customResourceDefinition = describe(customResourceDefinitions, {
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  allowUnconditionalUpdate: false,
});

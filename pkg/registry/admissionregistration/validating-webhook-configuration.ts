import { validatingWebhookConfigurations } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const validatingWebhookConfiguration = describe(validatingWebhookConfigurations, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
});

import { mutatingWebhookConfigurations } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const mutatingWebhookConfiguration = describe(mutatingWebhookConfigurations, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
});

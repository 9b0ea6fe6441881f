import type {
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../api/generated/admissionregistration-v1.ts';
import { validatingWebhookConfigurations } from '../../api/resources.ts';
import { describeWebhooks } from './webhook-descriptor.ts';

export const validatingWebhookConfiguration = describeWebhooks<ValidatingWebhook, ValidatingWebhookConfiguration>(
  validatingWebhookConfigurations,
);

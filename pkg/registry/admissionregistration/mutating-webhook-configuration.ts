import type { MutatingWebhook, MutatingWebhookConfiguration } from '../../api/generated/admissionregistration-v1.ts';
import { mutatingWebhookConfigurations } from '../../api/resources.ts';
import { describeWebhooks } from './webhook-descriptor.ts';

export const mutatingWebhookConfiguration = describeWebhooks<MutatingWebhook, MutatingWebhookConfiguration>(
  mutatingWebhookConfigurations,
  (webhook) => {
    webhook.reinvocationPolicy ??= 'Never';
  },
);

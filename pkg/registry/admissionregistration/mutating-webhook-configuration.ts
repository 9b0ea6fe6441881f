import type { MutatingWebhookConfiguration } from '../../api/generated/admissionregistration-v1.ts';
import { mutatingWebhookConfigurations } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateWebhooks } from './validation/webhook.ts';
import { defaultWebhook } from './webhook-defaults.ts';

export const mutatingWebhookConfiguration = describe<MutatingWebhookConfiguration>(mutatingWebhookConfigurations, {
  categories: ['api-extensions'],
  generation: true,
  allowUnconditionalUpdate: false,
  defaults({ webhooks }) {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= 'Never';
    }
  },
  validate: ({ webhooks }) => validateWebhooks(webhooks ?? []),
  columns: [
    nameColumn,
    {
      name: 'Webhooks',
      type: 'integer',
      description: 'Webhooks indicates the number of webhooks registered in this configuration',
      cell: ({ webhooks }) => (webhooks ?? []).length,
    },
    ageColumn,
  ],
});

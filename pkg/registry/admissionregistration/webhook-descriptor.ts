import type { MutatingWebhook, ValidatingWebhook } from '../../api/generated/admissionregistration-v1.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { type Descriptor, describe } from '../descriptor.ts';
import { validateWebhooks, validateWebhooksUpdate } from './validation/webhook.ts';
import { defaultWebhook } from './webhook-defaults.ts';

interface Configuration<W> extends KubeObject {
  webhooks?: W[] | undefined;
}

/** A list of webhooks, validating or mutating ones. */
export function describeWebhooks<W extends ValidatingWebhook | MutatingWebhook, T extends Configuration<W>>(
  type: ResourceType<T>,
  defaults: (webhook: W) => void = () => {},
): Descriptor<T> {
  return describe<T>(type, {
    categories: ['api-extensions'],
    generation: true,
    allowUnconditionalUpdate: false,
    defaults({ webhooks }) {
      for (const webhook of webhooks ?? []) {
        defaultWebhook(webhook);
        defaults(webhook);
      }
    },
    validateCreate: ({ webhooks }) => validateWebhooks(webhooks ?? []),
    updateSteps: ['object', 'change'],
    validateUpdate: ({ webhooks }, old) => validateWebhooksUpdate(webhooks ?? [], old.webhooks ?? []),
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
}

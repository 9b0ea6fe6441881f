import type { ResourceQuota } from '../../api/generated/core-v1.ts';
import { resourceQuotas } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { roundAmounts } from './resource-list.ts';
import {
  validateQuotaStatus,
  validateResourceQuota,
  validateResourceQuotaUpdate,
} from './validation/resource-quota.ts';

/** `requests.cpu: 1/2, pods: 0/5`, of the limits or of everything else. */
function usageText({ status }: ResourceQuota, ofLimits: boolean): string {
  return Object.keys(status.hard ?? {})
    .sort()
    .filter((name) => name.startsWith('limits.') === ofLimits)
    .map((name) => `${name}: ${status.used?.[name] ?? '0'}/${status.hard?.[name] ?? '0'}`)
    .join(', ');
}

export const resourceQuota = describe<ResourceQuota>(resourceQuotas, {
  shortNames: ['quota'],
  generation: false,
  returnsDeleted: true,
  defaults: ({ spec, status }) => roundAmounts(spec.hard, status?.hard, status?.used),
  validate: validateResourceQuota,
  validateUpdate: validateResourceQuotaUpdate,
  updateSteps: ['object', 'metadata', 'change'],
  validateStatus: validateQuotaStatus,
  columns: [
    nameColumn,
    ageColumn,
    {
      name: 'Request',
      type: 'string',
      description: 'Request represents a minimum amount of cpu/memory that a container may consume.',
      cell: (quota) => usageText(quota, false),
    },
    {
      name: 'Limit',
      type: 'string',
      description:
        'Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.',
      cell: (quota) => usageText(quota, true),
    },
  ],
});

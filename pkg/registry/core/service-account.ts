import type { ServiceAccount } from '../../api/generated/core-v1.ts';
import { serviceAccounts } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';

export const serviceAccount = describe<ServiceAccount>(serviceAccounts, {
  shortNames: ['sa'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    {
      name: 'Secrets',
      type: 'string',
      doc: ['core.v1.ServiceAccount', 'secrets'],
      cell: ({ secrets }) => (secrets ?? []).length,
    },
    ageColumn,
  ],
});

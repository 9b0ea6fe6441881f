import type { ServiceAccount } from '../../api/generated/core-v1.ts';
import { serviceAccounts } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';

const ENFORCE_MOUNTABLE = 'kubernetes.io/enforce-mountable-secrets';

export const serviceAccount = describe<ServiceAccount>(serviceAccounts, {
  *warnings({ metadata }) {
    if (metadata.annotations?.[ENFORCE_MOUNTABLE] === 'true') {
      yield `metadata.annotations[${ENFORCE_MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`;
    }
  },
  shortNames: ['sa'],
  returnsDeleted: true,
  prepareForCreate: nameSecretsAlone,
  prepareForUpdate: nameSecretsAlone,
  updateSteps: ['metadata', 'object'],
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

/** Secrets are of the account's namespace and of one kind: of a reference only the name is kept. */
function nameSecretsAlone(draft: ServiceAccount): void {
  if (draft.secrets !== undefined)
    draft.secrets = draft.secrets.map(({ name }) => (name === undefined ? {} : { name }));
}

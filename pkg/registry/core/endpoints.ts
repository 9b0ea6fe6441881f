import type { Endpoints } from '../../api/generated/core-v1.ts';
import { endpoints } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { warnOfIP } from '../validation/ip-warnings.ts';
import { validateEndpoints } from './validation/endpoints.ts';

const SHOWN = 3;

function addressesText({ subsets }: Endpoints): string {
  const all = (subsets ?? []).flatMap(({ addresses, ports }) =>
    (addresses ?? []).flatMap(({ ip }) =>
      (ports ?? []).length === 0
        ? [ip]
        : (ports ?? []).map(({ port }) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`),
    ),
  );
  if (all.length === 0) return '<none>';
  const more = all.length - SHOWN;
  return all.slice(0, SHOWN).join(',') + (more > 0 ? ` + ${more} more...` : '');
}

export const endpointsDescriptor = describe<Endpoints>(endpoints, {
  shortNames: ['ep'],
  allowCreateOnUpdate: true,
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  defaults({ subsets }) {
    for (const subset of subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  *warnings({ subsets }) {
    for (const [index, subset] of (subsets ?? []).entries()) {
      for (const field of ['addresses', 'notReadyAddresses'] as const) {
        const path = FieldPath.of('subsets').index(index).child(field);
        for (const [at, { ip }] of (subset[field] ?? []).entries()) yield* warnOfIP(path.index(at).child('ip'), ip);
      }
    }
  },
  validate: validateEndpoints,
  updateSteps: ['metadata', 'object'],
  columns: [
    nameColumn,
    { name: 'Endpoints', type: 'string', doc: ['core.v1.Endpoints', 'subsets'], cell: addressesText },
    ageColumn,
  ],
});

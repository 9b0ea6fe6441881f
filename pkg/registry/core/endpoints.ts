import type { Endpoints } from '../../api/generated/core-v1.ts';
import { endpoints } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, firstThree, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { warnOfIP } from '../validation/ip-warnings.ts';
import { validateEndpoints } from './validation/endpoints.ts';

/** Port by port; nothing at all when no address is ready. */
function addressesText({ subsets }: Endpoints): string {
  if ((subsets ?? []).length === 0) return '<none>';
  const all = (subsets ?? []).flatMap(({ addresses, ports }) => {
    const ips = (addresses ?? []).map(({ ip }) => ip);
    if ((ports ?? []).length === 0) return ips;
    return (ports ?? []).flatMap(({ port }) => ips.map((ip) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`));
  });
  return firstThree(all);
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

import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpointSlices } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, firstThree, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { warnOfIP } from '../validation/ip-warnings.ts';
import { unchanged } from '../validation/rules.ts';
import { validateEndpointSlice } from './validation.ts';

export const endpointSlice = describe<EndpointSlice>(endpointSlices, {
  generation: true,
  generationFollows: ['labels'],
  defaults({ ports }) {
    for (const port of ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  *warnings({ addressType, endpoints }) {
    if (addressType === 'FQDN') return;
    for (const [index, { addresses }] of (endpoints ?? []).entries()) {
      const path = FieldPath.of('endpoints').index(index).child('addresses');
      for (const [at, address] of addresses.entries()) yield* warnOfIP(path.index(at), address);
    }
  },
  validate: validateEndpointSlice,
  updateSteps: ['object', 'change'],
  validateUpdate: ({ addressType }, old) => unchanged(FieldPath.of('addressType'), addressType, old.addressType),
  columns: [
    nameColumn,
    {
      name: 'AddressType',
      type: 'string',
      doc: ['discovery.v1.EndpointSlice', 'addressType'],
      cell: ({ addressType }) => addressType,
    },
    {
      name: 'Ports',
      type: 'string',
      doc: ['discovery.v1.EndpointSlice', 'ports'],
      cell: ({ ports }) => firstThree((ports ?? []).map(({ port, name }) => String(port ?? name ?? '*'))) || '<unset>',
    },
    {
      name: 'Endpoints',
      type: 'string',
      doc: ['discovery.v1.EndpointSlice', 'endpoints'],
      cell: ({ endpoints }) => firstThree((endpoints ?? []).flatMap(({ addresses }) => addresses ?? [])) || '<unset>',
    },
    ageColumn,
  ],
});

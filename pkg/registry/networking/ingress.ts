import type { Ingress } from '../../api/generated/networking-v1.ts';
import { ingresses } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateIngressStatus, validateIngressUpdate, validateNewIngress } from './validation/ingress.ts';

const SHOWN_HOSTS = 3;
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

/** `a.example,b.example + 1 more...`; `*` for any. */
function hostsText({ spec }: Ingress): string {
  const hosts = (spec.rules ?? []).map(({ host }) => host ?? '').filter((host) => host !== '');
  if (hosts.length === 0) return '*';
  const more = hosts.length - SHOWN_HOSTS;
  return hosts.slice(0, SHOWN_HOSTS).join(',') + (more > 0 ? ` + ${more} more...` : '');
}

export const ingress = describe<Ingress>(ingresses, {
  shortNames: ['ing'],
  *warnings({ metadata }, old) {
    if (old === undefined && metadata.annotations?.[CLASS_ANNOTATION] !== undefined) {
      yield `annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`;
    }
  },
  validateCreate: validateNewIngress,
  updateSteps: ['metadata', 'object', 'change'],
  validateUpdate: validateIngressUpdate,
  validateStatus: validateIngressStatus,
  columns: [
    nameColumn,
    {
      name: 'Class',
      type: 'string',
      description: 'The name of the IngressClass resource that should be used for additional configuration',
      cell: ({ spec }) => spec.ingressClassName ?? '<none>',
    },
    {
      name: 'Hosts',
      type: 'string',
      description: 'Hosts that incoming requests are matched against before the ingress rule',
      cell: hostsText,
    },
    {
      name: 'Address',
      type: 'string',
      description: 'Address is a list containing ingress points for the load-balancer',
      cell: ({ status }) =>
        (status.loadBalancer?.ingress ?? [])
          .map(({ ip, hostname }) => ip || hostname || '')
          .filter((text) => text !== '')
          .join(','),
    },
    {
      name: 'Ports',
      type: 'string',
      description: 'Ports of TLS configurations that open',
      cell: ({ spec }) => ((spec.tls ?? []).length > 0 ? '80, 443' : '80'),
    },
    ageColumn,
  ],
});

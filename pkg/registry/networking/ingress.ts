import type { Ingress } from '../../api/generated/networking-v1.ts';
import { ingresses } from '../../api/resources.ts';
import { ageColumn, balancerAddresses, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateIngressStatus, validateIngressUpdate, validateNewIngress } from './validation/ingress.ts';

const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

/** `a.example,b.example,c.example + 1 more...`, where rules for any host count with those that are not shown; `*` for any. */
function hostsText({ spec }: Ingress): string {
  const shown: string[] = [];
  let hasMore = false;
  for (const { host } of spec.rules ?? []) {
    if (shown.length === 3) hasMore = true;
    else if (host) shown.push(host);
  }
  if (shown.length === 0) return '*';
  return shown.join(',') + (hasMore ? ` + ${(spec.rules ?? []).length - shown.length} more...` : '');
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
      cell: ({ status }) => balancerAddresses(status.loadBalancer?.ingress).join(','),
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

import type { NetworkPolicy } from '../../api/generated/networking-v1.ts';
import { networkPolicies } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { formatLabelSelector } from '../../apimachinery/labels.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { warnOfCIDR } from '../validation/ip-warnings.ts';
import { validateNetworkPolicy } from './validation/network-policy.ts';

export const networkPolicy = describe<NetworkPolicy>(networkPolicies, {
  shortNames: ['netpol'],
  generation: true,
  defaults({ spec }) {
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    }
    if ((spec.policyTypes ?? []).length > 0) return;
    spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  *warnings({ spec }) {
    for (const [rules, direction, peers] of [
      [spec?.ingress ?? [], 'ingress', 'from'],
      [spec?.egress ?? [], 'egress', 'to'],
    ] as const) {
      for (const [index, rule] of rules.entries()) {
        const path = FieldPath.of('spec', direction).index(index).child(peers);
        const list = 'from' in rule ? rule.from : 'to' in rule ? rule.to : undefined;
        for (const [at, { ipBlock }] of (list ?? []).entries()) {
          if (ipBlock === undefined) continue;
          const block = path.index(at).child('ipBlock');
          yield* warnOfCIDR(block.child('cidr'), ipBlock.cidr);
          for (const [n, except] of (ipBlock.except ?? []).entries()) {
            yield* warnOfCIDR(block.child('except').index(n), except);
          }
        }
      }
    }
  },
  validate: validateNetworkPolicy,
  columns: [
    nameColumn,
    {
      name: 'Pod-Selector',
      type: 'string',
      description:
        "podSelector selects the pods to which this NetworkPolicy object applies. The array of rules is applied to any pods selected by this field. An empty selector matches all pods in the policy's namespace. Multiple network policies can select the same set of pods. In this case, the ingress rules for each are combined additively. This field is optional. If it is not specified, it defaults to an empty selector.",
      cell: ({ spec }) => formatLabelSelector(spec.podSelector),
    },
    ageColumn,
  ],
});

import type { ServiceCIDR } from '../../api/generated/networking-v1.ts';
import { serviceCIDRs } from '../../api/resources.ts';
import { fieldError, goStringSlice, Verbatim } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { parseCIDR } from '../../base/ip.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { isCanonicalCIDR } from '../validation/ip.ts';
import { each, type Findings, unchanged } from '../validation/rules.ts';

const CIDRS = FieldPath.of('spec', 'cidrs');

/** Upstream's ValidateServiceCIDR. */
function* validate({ spec }: ServiceCIDR): Findings {
  const ranges = spec.cidrs ?? [];
  if (ranges.length === 0) return yield fieldError.required(CIDRS, 'at least one CIDR required');
  if (ranges.length > 2) {
    const value = new Verbatim(`networking.ServiceCIDRSpec{CIDRs:${goStringSlice(ranges).text}}`);
    return yield fieldError.invalid(CIDRS, value, 'may only hold up to 2 values');
  }
  for (const [index, range] of ranges.entries()) yield* each(CIDRS.index(index), range, isCanonicalCIDR);
  const [first, second] = ranges.map((range) => parseCIDR(range)?.family);
  if (first === undefined || first !== second) return;
  const text = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
  yield fieldError.invalid(CIDRS, goStringSlice(ranges), text);
}

/** Upstream's ValidateServiceCIDRUpdate: a second family may come, nothing else changes. */
function* validateUpdate(object: ServiceCIDR, old: ServiceCIDR): Findings {
  const [ranges, before] = [object.spec.cidrs ?? [], old.spec.cidrs ?? []];
  const grows = before.length === 1 && ranges.length === 2;
  if (!grows && before.length !== ranges.length) {
    return yield fieldError.invalid(CIDRS, goStringSlice(ranges), 'field is immutable');
  }
  for (const [index, range] of before.entries()) yield* unchanged(CIDRS.index(index), ranges[index], range);
  if (grows) yield* validate(object);
}

export const serviceCIDR = describe<ServiceCIDR>(serviceCIDRs, {
  generation: false,
  validate,
  updateSteps: ['metadata', 'change'],
  validateUpdate,
  statusKeepsMetadata: 'all',
  columns: [
    nameColumn,
    {
      name: 'CIDRs',
      type: 'string',
      doc: ['networking.v1.ServiceCIDRSpec', 'cidrs'],
      cell: ({ spec }) => (spec.cidrs ?? []).join(','),
    },
    ageColumn,
  ],
});

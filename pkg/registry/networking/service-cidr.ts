import type { ServiceCIDR } from '../../api/generated/networking-v1.ts';
import { serviceCIDRs } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { cidr, type Findings, unchanged } from '../validation/rules.ts';

const CIDRS = FieldPath.of('spec', 'cidrs');

/** Upstream's ValidateServiceCIDR. */
function* validate({ spec }: ServiceCIDR): Findings {
  const ranges = spec.cidrs ?? [];
  if (ranges.length === 0) yield fieldError.required(CIDRS, 'at least one CIDR required');
  if (ranges.length > 2) {
    yield fieldError.invalid(CIDRS, ranges, 'may only hold up to 2 values');
  }
  for (const [index, range] of ranges.entries()) yield* cidr(CIDRS.index(index), range);
}

export const serviceCIDR = describe<ServiceCIDR>(serviceCIDRs, {
  generation: false,
  allowUnconditionalUpdate: false,
  validate,
  validateUpdate: ({ spec }, old) => unchanged(CIDRS, spec.cidrs, old.spec.cidrs),
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

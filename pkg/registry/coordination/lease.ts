import type { Lease } from '../../api/generated/coordination-v1.ts';
import { leases } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { type Findings, nonNegative } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');

/** Upstream's ValidateLeaseSpec. */
function* validate({ spec }: Lease): Findings {
  const duration = spec.leaseDurationSeconds;
  if (duration !== undefined && duration <= 0) {
    yield fieldError.invalid(SPEC.child('leaseDurationSeconds'), duration, 'must be greater than 0');
  }
  yield* nonNegative(SPEC.child('leaseTransitions'), spec.leaseTransitions);
}

/** The fields of coordinated leader election, which is off by default, are dropped. */
function withoutElection({ spec }: Lease): void {
  delete spec.strategy;
  delete spec.preferredHolder;
}

export const lease = describe<Lease>(leases, {
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  durability: 'lazy',
  prepareForCreate: withoutElection,
  prepareForUpdate: withoutElection,
  validate,
  columns: [
    nameColumn,
    {
      name: 'Holder',
      type: 'string',
      doc: ['coordination.v1.LeaseSpec', 'holderIdentity'],
      cell: ({ spec }) => spec.holderIdentity ?? '',
    },
    ageColumn,
  ],
});

import { leases } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const lease = describe(leases, {
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  durability: 'lazy',
});

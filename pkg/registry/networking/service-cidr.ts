import { serviceCIDRs } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const serviceCIDR = describe(serviceCIDRs, {
  generation: false,
  allowUnconditionalUpdate: false,
});

import { resourceClaims } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const resourceClaim = describe(resourceClaims, {
  generation: false,
});

import { networkPolicies } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const networkPolicy = describe(networkPolicies, {
  shortNames: ['netpol'],
  generation: true,
});

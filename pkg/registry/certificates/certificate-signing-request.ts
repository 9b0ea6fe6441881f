import { certificateSigningRequests } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const certificateSigningRequest = describe(certificateSigningRequests, {
  shortNames: ['csr'],
  generation: false,
});

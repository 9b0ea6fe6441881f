import { ipAddresses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const ipAddress = describe(ipAddresses, {
  shortNames: ['ip'],
  allowUnconditionalUpdate: false,
});

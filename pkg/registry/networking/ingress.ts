import { ingresses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const ingress = describe(ingresses, {
  shortNames: ['ing'],
});

import { csiStorageCapacities } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const csiStorageCapacity = describe(csiStorageCapacities, {
  allowUnconditionalUpdate: false,
});

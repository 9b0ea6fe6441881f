import { csiDrivers } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const csiDriver = describe(csiDrivers, {
  generation: true,
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
});

import { resourceSlices } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const resourceSlice = describe(resourceSlices, {});

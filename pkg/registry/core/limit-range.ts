import { limitRanges } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const limitRange = describe(limitRanges, {
  shortNames: ['limits'],
  allowCreateOnUpdate: true,
});

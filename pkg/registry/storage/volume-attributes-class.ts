import { volumeAttributesClasses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const volumeAttributesClass = describe(volumeAttributesClasses, {
  shortNames: ['vac'],
  allowUnconditionalUpdate: false,
});

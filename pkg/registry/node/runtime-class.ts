import { runtimeClasses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const runtimeClass = describe(runtimeClasses, {
  allowUnconditionalUpdate: false,
});

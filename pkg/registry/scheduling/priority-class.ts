import { priorityClasses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const priorityClass = describe(priorityClasses, {
  shortNames: ['pc'],
  generation: true,
});

import { daemonSets } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const daemonSet = describe(daemonSets, {
  shortNames: ['ds'],
  categories: ['all'],
});

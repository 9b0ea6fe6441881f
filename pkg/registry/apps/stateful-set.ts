import { statefulSets } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';

export const statefulSet = describe(statefulSets, {
  shortNames: ['sts'],
  categories: ['all'],
  subresources: { scale: replicasScale },
});

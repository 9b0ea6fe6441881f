import { replicationControllers } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';

export const replicationController = describe(replicationControllers, {
  shortNames: ['rc'],
  categories: ['all'],
  subresources: { scale: replicasScale },
});

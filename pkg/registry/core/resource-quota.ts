import { resourceQuotas } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const resourceQuota = describe(resourceQuotas, {
  shortNames: ['quota'],
  generation: false,
  returnsDeleted: true,
});

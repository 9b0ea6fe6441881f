import { resourceClaimTemplates } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const resourceClaimTemplate = describe(resourceClaimTemplates, {});

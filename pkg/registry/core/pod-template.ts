import { podTemplates } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const podTemplate = describe(podTemplates, {
  returnsDeleted: true,
});

import { csiNodes } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const csiNode = describe(csiNodes, {
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
});

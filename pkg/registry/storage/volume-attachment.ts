import { volumeAttachments } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const volumeAttachment = describe(volumeAttachments, {
  generation: false,
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
});

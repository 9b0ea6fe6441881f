import { persistentVolumeClaims } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const persistentVolumeClaim = describe(persistentVolumeClaims, {
  shortNames: ['pvc'],
  generation: false,
  returnsDeleted: true,
});

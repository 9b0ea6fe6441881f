import { persistentVolumes } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const persistentVolume = describe(persistentVolumes, {
  shortNames: ['pv'],
  generation: false,
  returnsDeleted: true,
});

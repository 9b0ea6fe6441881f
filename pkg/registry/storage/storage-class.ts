import { storageClasses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const storageClass = describe(storageClasses, {
  shortNames: ['sc'],
  returnsDeleted: true,
});

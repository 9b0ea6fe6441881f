import { deviceClasses } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const deviceClass = describe(deviceClasses, {});

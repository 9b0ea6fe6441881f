import { roles } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { describe } from '../descriptor.ts';

export const role = describe(roles, { allowCreateOnUpdate: true, validateName: nameIsPathSegment });

import { clusterRoles } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { describe } from '../descriptor.ts';

export const clusterRole = describe(clusterRoles, { allowCreateOnUpdate: true, validateName: nameIsPathSegment });

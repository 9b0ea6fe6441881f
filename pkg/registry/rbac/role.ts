import type { Role } from '../../api/generated/rbac-v1.ts';
import { roles } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { describe } from '../descriptor.ts';
import { validateRole } from './validation.ts';

export const role = describe<Role>(roles, {
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  validate: (object) => validateRole(object, true),
});

import type { Role } from '../../api/generated/rbac-v1.ts';
import { roles } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { describe } from '../descriptor.ts';
import { UPDATE_STEPS, validateRole } from './validation.ts';

export const role = describe<Role>(roles, {
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  updateSteps: UPDATE_STEPS,
  validate: (object) => validateRole(object, true),
});

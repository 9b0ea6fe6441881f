import type { RoleBinding } from '../../api/generated/rbac-v1.ts';
import { roleBindings } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { defaultBinding, roleColumn, subjectColumns } from './binding.ts';
import { UPDATE_STEPS, validateBinding, validateBindingUpdate } from './validation.ts';

const ROLE_TEXT =
  'RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.';

export const roleBinding = describe<RoleBinding>(roleBindings, {
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  defaults: defaultBinding,
  updateSteps: UPDATE_STEPS,
  validate: (object) => validateBinding(object, true),
  validateUpdate: validateBindingUpdate,
  columns: [nameColumn, roleColumn(ROLE_TEXT), ageColumn, ...subjectColumns('roleBinding')],
});

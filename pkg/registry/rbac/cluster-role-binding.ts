import type { ClusterRoleBinding } from '../../api/generated/rbac-v1.ts';
import { clusterRoleBindings } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { defaultBinding, roleColumn, subjectColumns } from './binding.ts';
import { UPDATE_STEPS, validateBinding, validateBindingUpdate } from './validation.ts';

const ROLE_TEXT =
  'RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error.';

export const clusterRoleBinding = describe<ClusterRoleBinding>(clusterRoleBindings, {
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  defaults: defaultBinding,
  updateSteps: UPDATE_STEPS,
  validate: (object) => validateBinding(object, false),
  validateUpdate: validateBindingUpdate,
  columns: [nameColumn, roleColumn(ROLE_TEXT), ageColumn, ...subjectColumns('clusterRoleBinding')],
});

import type { RoleBinding } from '../../api/generated/rbac-v1.ts';
import { roleBindings } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { defaultBinding, roleColumn, subjectColumns } from './binding.ts';

export const roleBinding = describe<RoleBinding>(roleBindings, {
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  defaults: defaultBinding,
  columns: [nameColumn, roleColumn, ageColumn, ...subjectColumns],
});

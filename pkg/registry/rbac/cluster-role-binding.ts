import type { ClusterRoleBinding } from '../../api/generated/rbac-v1.ts';
import { clusterRoleBindings } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { defaultBinding, roleColumn, subjectColumns } from './binding.ts';

export const clusterRoleBinding = describe<ClusterRoleBinding>(clusterRoleBindings, {
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  defaults: defaultBinding,
  columns: [nameColumn, roleColumn, ageColumn, ...subjectColumns],
});

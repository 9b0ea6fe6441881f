import type { ClusterRole } from '../../api/generated/rbac-v1.ts';
import { clusterRoles } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { describe } from '../descriptor.ts';
import { UPDATE_STEPS, validateRole } from './validation.ts';

export const clusterRole = describe<ClusterRole>(clusterRoles, {
  allowCreateOnUpdate: true,
  validateName: nameIsPathSegment,
  updateSteps: UPDATE_STEPS,
  validate: (object) => validateRole(object, false),
});

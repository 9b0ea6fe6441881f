import type { ReplicaSet } from '../../api/generated/apps-v1.ts';
import { replicaSets } from '../../api/resources.ts';
import { ageColumn, nameColumn, templateColumns } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';
import { validateSelectorUnchanged, validateWorkloadSpec } from './workload-validation.ts';

export const replicaSet = describe<ReplicaSet>(replicaSets, {
  shortNames: ['rs'],
  categories: ['all'],
  subresources: { scale: replicasScale },
  selectableFields: { 'status.replicas': { read: ({ status }) => String(status.replicas) } },
  defaults({ spec }) {
    spec.replicas ??= 1;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => validateWorkloadSpec(spec),
  validateUpdate: ({ spec }, old) => validateSelectorUnchanged(spec, old.spec),
  columns: [
    nameColumn,
    { name: 'Desired', type: 'integer', cell: ({ spec }) => spec.replicas ?? 0 },
    { name: 'Current', type: 'integer', cell: ({ status }) => status.replicas },
    { name: 'Ready', type: 'integer', cell: ({ status }) => status.readyReplicas ?? 0 },
    ageColumn,
    ...templateColumns,
  ],
});

import type { Deployment } from '../../api/generated/apps-v1.ts';
import { deployments } from '../../api/resources.ts';
import { ageColumn, nameColumn, templateColumns } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';
import { validateSelectorUnchanged, validateWorkloadSpec } from './workload-validation.ts';

export const deployment = describe<Deployment>(deployments, {
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: { scale: replicasScale },
  defaults({ spec }) {
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ||= 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      const rolling = spec.strategy.rollingUpdate ?? {};
      spec.strategy.rollingUpdate = { maxUnavailable: '25%', maxSurge: '25%', ...rolling };
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => validateWorkloadSpec(spec),
  validateUpdate: ({ spec }, old) => validateSelectorUnchanged(spec, old.spec),
  columns: [
    nameColumn,
    { name: 'Ready', type: 'string', cell: ({ spec, status }) => `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}` },
    { name: 'Up-to-date', type: 'string', cell: ({ status }) => status.updatedReplicas ?? 0 },
    { name: 'Available', type: 'string', cell: ({ status }) => status.availableReplicas ?? 0 },
    ageColumn,
    ...templateColumns,
  ],
});

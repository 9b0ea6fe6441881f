import type { Deployment } from '../../api/generated/apps-v1.ts';
import { deployments } from '../../api/resources.ts';
import { ageColumn, nameColumn, templateColumns } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { workloadWarnings } from '../core/pod-warnings.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';
import { validateDeployment, validateDeploymentStatus, validateDeploymentUpdate } from './validation/deployment.ts';

export const deployment = describe<Deployment>(deployments, {
  shortNames: ['deploy'],
  categories: ['all'],
  generationFollows: ['annotations'],
  statusKeepsMetadata: ['labels'],
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
  warnings: workloadWarnings,
  validate: validateDeployment,
  validateUpdate: validateDeploymentUpdate,
  validateStatus: validateDeploymentStatus,
  columns: [
    nameColumn,
    {
      name: 'Ready',
      type: 'string',
      description: 'Number of the pod with ready state',
      cell: ({ spec, status }) => `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      type: 'string',
      doc: ['apps.v1.DeploymentStatus', 'updatedReplicas'],
      cell: ({ status }) => status.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      type: 'string',
      doc: ['apps.v1.DeploymentStatus', 'availableReplicas'],
      cell: ({ status }) => status.availableReplicas ?? 0,
    },
    ageColumn,
    ...templateColumns(
      'Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment.',
    ),
  ],
});

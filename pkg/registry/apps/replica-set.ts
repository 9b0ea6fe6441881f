import type { ReplicaSet } from '../../api/generated/apps-v1.ts';
import { replicaSets } from '../../api/resources.ts';
import { ageColumn, nameColumn, templateColumns } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { workloadWarnings } from '../core/pod-warnings.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';
import { validateReplicaSet, validateReplicaSetStatus, validateReplicaSetUpdate } from './validation/replica-set.ts';

export const replicaSet = describe<ReplicaSet>(replicaSets, {
  shortNames: ['rs'],
  categories: ['all'],
  subresources: { scale: replicasScale },
  defaults({ spec }) {
    spec.replicas ??= 1;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  warnings: workloadWarnings,
  validate: validateReplicaSet,
  validateUpdate: validateReplicaSetUpdate,
  updateSteps: ['object', 'metadata', 'content', 'change'],
  validateStatus: validateReplicaSetStatus,
  columns: [
    nameColumn,
    {
      name: 'Desired',
      type: 'integer',
      doc: ['apps.v1.ReplicaSetSpec', 'replicas'],
      cell: ({ spec }) => spec.replicas ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      doc: ['apps.v1.ReplicaSetStatus', 'replicas'],
      cell: ({ status }) => status.replicas,
    },
    {
      name: 'Ready',
      type: 'integer',
      doc: ['apps.v1.ReplicaSetStatus', 'readyReplicas'],
      cell: ({ status }) => status.readyReplicas ?? 0,
    },
    ageColumn,
    ...templateColumns(
      "Selector is a label query over pods that should match the replica count. Label keys and values that must match in order to be controlled by this replica set. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
  ],
});

import type { ReplicationController } from '../../api/generated/core-v1.ts';
import { replicationControllers } from '../../api/resources.ts';
import { ageColumn, containerColumns, labelsText, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { workloadWarnings } from './pod-warnings.ts';
import {
  validateReplicationController,
  validateReplicationControllerStatus,
} from './validation/replication-controller.ts';

export const replicationController = describe<ReplicationController>(replicationControllers, {
  shortNames: ['rc'],
  categories: ['all'],
  orphansByDefault: true,
  subresources: { scale: replicasScale },
  validateStatus: validateReplicationControllerStatus,
  defaults({ metadata, spec }) {
    const labels = spec.template?.metadata?.labels;
    if (labels !== undefined) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
      if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
    }
    spec.replicas ??= 1;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  warnings: workloadWarnings,
  validate: validateReplicationController,
  updateSteps: ['object', 'metadata', 'content'],
  selectableFields: { 'status.replicas': { read: ({ status }) => String(status.replicas) } },
  columns: [
    nameColumn,
    {
      name: 'Desired',
      type: 'integer',
      doc: ['core.v1.ReplicationControllerSpec', 'replicas'],
      cell: ({ spec }) => spec.replicas ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      doc: ['core.v1.ReplicationControllerStatus', 'replicas'],
      cell: ({ status }) => status.replicas,
    },
    {
      name: 'Ready',
      type: 'integer',
      doc: ['core.v1.ReplicationControllerStatus', 'readyReplicas'],
      cell: ({ status }) => status.readyReplicas ?? 0,
    },
    ageColumn,
    ...containerColumns<ReplicationController>(({ spec }) => spec.template?.spec?.containers),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      doc: ['core.v1.ReplicationControllerSpec', 'selector'],
      cell: ({ spec }) => labelsText(spec.selector),
    },
  ],
});

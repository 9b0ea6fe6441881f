import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import { statefulSets } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { nameIsDnsLabel } from '../../apimachinery/names.ts';
import { ageColumn, containerColumns, nameColumn } from '../columns.ts';
import { defaultClaimSpec } from '../core/claim-defaults.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { claimSpecWarnings, workloadWarnings } from '../core/pod-warnings.ts';
import { describe } from '../descriptor.ts';
import { replicasScale } from '../scale.ts';
import {
  validateNewStatefulSet,
  validateStatefulSetStatus,
  validateStatefulSetUpdate,
} from './validation/stateful-set.ts';

export const statefulSet = describe<StatefulSet>(statefulSets, {
  shortNames: ['sts'],
  categories: ['all'],
  subresources: { scale: replicasScale },
  // Its Pods are named after it, and are hosts of those names.
  validateName: nameIsDnsLabel,
  *warnings(object, old) {
    yield* workloadWarnings(object, old, false);
    if (object.metadata.generation === old?.metadata.generation) return;
    for (const [index, { spec }] of (object.spec.volumeClaimTemplates ?? []).entries()) {
      yield* claimSpecWarnings(spec, FieldPath.of('spec', 'volumeClaimTemplates').index(index));
    }
    if ((object.spec.revisionHistoryLimit ?? 0) < 0) {
      yield 'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended';
    }
  },
  validateCreate: validateNewStatefulSet,
  validateUpdate: validateStatefulSetUpdate,
  validateStatus: validateStatefulSetStatus,
  columns: [
    nameColumn,
    {
      name: 'Ready',
      type: 'string',
      description: 'Number of the pod with ready state',
      cell: ({ spec, status }) => `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    },
    ageColumn,
    ...containerColumns<StatefulSet>(({ spec }) => spec.template?.spec?.containers),
  ],
  defaults({ spec }) {
    spec.podManagementPolicy ||= 'OrderedReady';
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ||= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate = { partition: 0, ...spec.updateStrategy.rollingUpdate };
    }
    const retention = spec.persistentVolumeClaimRetentionPolicy ?? {};
    spec.persistentVolumeClaimRetentionPolicy = {
      whenDeleted: retention.whenDeleted || 'Retain',
      whenScaled: retention.whenScaled || 'Retain',
    };
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion = 'v1';
      claim.kind = 'PersistentVolumeClaim';
      defaultClaimSpec(claim.spec);
      claim.status = { ...claim.status, phase: claim.status?.phase || 'Pending' };
    }
  },
});

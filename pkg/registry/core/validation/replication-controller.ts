import type { ReplicationController, ReplicationControllerStatus } from '../../../api/generated/core-v1.ts';
import { fieldError, goStringMap } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { labelMapMatcher } from '../../../apimachinery/labels.ts';
import { type Findings, nonNegative } from '../../validation/rules.ts';
import { validatePodTemplate } from './pod-template.ts';

const SPEC = FieldPath.of('spec');

/** Upstream's ValidateReplicationController. */
export function* validateReplicationController({ spec }: ReplicationController): Findings {
  yield* nonNegative(SPEC.child('minReadySeconds'), spec.minReadySeconds);
  if (Object.keys(spec.selector ?? {}).length === 0) yield fieldError.required(SPEC.child('selector'));
  yield* nonNegative(SPEC.child('replicas'), spec.replicas);
  const path = SPEC.child('template');
  if (spec.template === undefined) return yield fieldError.required(path);
  const labels = spec.template.metadata?.labels;
  if (Object.keys(spec.selector ?? {}).length > 0 && !labelMapMatcher(spec.selector).matches(labels)) {
    const text = '`selector` does not match template `labels`';
    yield fieldError.invalid(path.child('metadata', 'labels'), goStringMap(labels), text);
  }
  yield* validatePodTemplate(spec.template, path);
  const policy = spec.template.spec?.restartPolicy;
  if (policy !== 'Always') {
    yield fieldError.notSupported(path.child('spec', 'restartPolicy'), policy, ['Always']);
  }
  if (spec.template.spec?.activeDeadlineSeconds !== undefined) {
    const text = 'activeDeadlineSeconds in ReplicationController is not Supported';
    yield fieldError.forbidden(path.child('spec', 'activeDeadlineSeconds'), text);
  }
}

/** Upstream's ValidateReplicationControllerStatus. */
export function* validateReplicationControllerStatus({ status }: ReplicationController): Findings {
  yield* validateReplicaCounts(status, FieldPath.of('status'));
}

/** The counts of a ReplicationController or a ReplicaSet. */
export function* validateReplicaCounts(status: ReplicationControllerStatus, path: FieldPath): Findings {
  const fields = [
    'replicas',
    'fullyLabeledReplicas',
    'readyReplicas',
    'availableReplicas',
    'observedGeneration',
  ] as const;
  for (const field of fields) yield* nonNegative(path.child(field), status[field]);
  const text = 'cannot be greater than status.replicas';
  for (const field of ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const) {
    const count = status[field] ?? 0;
    if (count > status.replicas) yield fieldError.invalid(path.child(field), count, text);
  }
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
    yield fieldError.invalid(
      path.child('availableReplicas'),
      status.availableReplicas,
      'cannot be greater than readyReplicas',
    );
  }
}

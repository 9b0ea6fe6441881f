import type { ReplicaSet } from '../../../api/generated/apps-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateReplicaCounts } from '../../core/validation/replication-controller.ts';
import { type Findings, nonNegative, unchanged } from '../../validation/rules.ts';
import { isSelectorValid, templateMatches, validateRunningTemplate, validateSelector } from './workload.ts';

const SPEC = FieldPath.of('spec');

/** Upstream's ValidateReplicaSetSpec. */
export function* validateReplicaSet({ spec }: ReplicaSet): Findings {
  const selector = SPEC.child('selector');
  yield* nonNegative(SPEC.child('replicas'), spec.replicas);
  yield* nonNegative(SPEC.child('minReadySeconds'), spec.minReadySeconds);
  yield* validateSelector(spec.selector, 'deployment', selector);
  if (!isSelectorValid(spec.selector, selector)) {
    return yield fieldError.invalid(selector, spec.selector as Json, 'invalid label selector');
  }
  yield* templateMatches(spec.selector, spec.template, SPEC.child('template'));
  yield* validateRunningTemplate(spec.template, spec.replicas, SPEC.child('template'));
}

export function* validateReplicaSetUpdate({ spec }: ReplicaSet, old: ReplicaSet): Findings {
  yield* unchanged(SPEC.child('selector'), spec.selector, old.spec.selector);
}

export function* validateReplicaSetStatus({ status }: ReplicaSet): Findings {
  yield* validateReplicaCounts(status, FieldPath.of('status'));
}

import type { Deployment, DeploymentStrategy, RollingUpdateDeployment } from '../../../api/generated/apps-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, nonNegative, unchanged } from '../../validation/rules.ts';
import {
  atMostAll,
  collisionsCounted,
  goIntOrString,
  goStrategy,
  intOrPercent,
  isSelectorValid,
  percentOf,
  templateMatches,
  validateRunningTemplate,
  validateSelector,
} from './workload.ts';

const SPEC = FieldPath.of('spec');
const STATUS = FieldPath.of('status');

/** Upstream's ValidateDeploymentSpec. */
export function* validateDeployment({ spec }: Deployment): Findings {
  const selector = SPEC.child('selector');
  yield* nonNegative(SPEC.child('replicas'), spec.replicas);
  yield* validateSelector(spec.selector, 'deployment', selector);
  if (!isSelectorValid(spec.selector, selector)) {
    yield fieldError.invalid(selector, spec.selector as Json, 'invalid label selector');
  } else {
    yield* templateMatches(spec.selector, spec.template, SPEC.child('template'));
    yield* validateRunningTemplate(spec.template, spec.replicas, SPEC.child('template'));
  }
  yield* validateStrategy(spec.strategy, SPEC.child('strategy'));
  yield* nonNegative(SPEC.child('minReadySeconds'), spec.minReadySeconds);
  yield* nonNegative(SPEC.child('revisionHistoryLimit'), spec.revisionHistoryLimit);
  const deadline = spec.progressDeadlineSeconds;
  if (deadline === undefined) return;
  yield* nonNegative(SPEC.child('progressDeadlineSeconds'), deadline);
  if (deadline <= (spec.minReadySeconds ?? 0)) {
    yield fieldError.invalid(SPEC.child('progressDeadlineSeconds'), deadline, 'must be greater than minReadySeconds');
  }
}

/** A selector is chosen once. */
export function* validateDeploymentUpdate({ spec }: Deployment, old: Deployment): Findings {
  yield* unchanged(SPEC.child('selector'), spec.selector, old.spec.selector);
}

function* validateStrategy({ type, rollingUpdate }: DeploymentStrategy, path: FieldPath): Findings {
  const rolling = path.child('rollingUpdate');
  if (type === 'Recreate') {
    const text = "may not be specified when strategy `type` is 'Recreate'";
    if (rollingUpdate !== undefined) yield fieldError.forbidden(rolling, text);
  } else if (type === 'RollingUpdate') {
    if (rollingUpdate !== undefined) yield* validateRollingUpdate(rollingUpdate, rolling);
    else yield fieldError.required(rolling, 'this should be defaulted and never be nil');
  } else {
    const value = goStrategy('DeploymentStrategy', type, 'RollingUpdateDeployment', rollingUpdate);
    yield fieldError.notSupported(path, value, ['Recreate', 'RollingUpdate']);
  }
}

function* validateRollingUpdate({ maxSurge, maxUnavailable }: RollingUpdateDeployment, path: FieldPath): Findings {
  const at = path.child('maxUnavailable');
  yield* intOrPercent(maxUnavailable, at);
  yield* intOrPercent(maxSurge, path.child('maxSurge'));
  if (percentOf(maxUnavailable ?? 0) === 0 && percentOf(maxSurge ?? 0) === 0) {
    yield fieldError.invalid(at, goIntOrString(maxUnavailable ?? 0), 'may not be 0 when `maxSurge` is 0');
  }
  yield* atMostAll(maxUnavailable, at);
}

/** Upstream's ValidateDeploymentStatus. */
export function* validateDeploymentStatus({ status }: Deployment, old: Deployment): Findings {
  const counts = [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'unavailableReplicas',
    'collisionCount',
  ] as const;
  for (const field of counts) yield* nonNegative(STATUS.child(field), status[field]);
  const text = 'cannot be greater than status.replicas';
  for (const field of ['updatedReplicas', 'readyReplicas', 'availableReplicas'] as const) {
    const count = status[field] ?? 0;
    if (count > (status.replicas ?? 0)) yield fieldError.invalid(STATUS.child(field), count, text);
  }
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
    const at = STATUS.child('availableReplicas');
    yield fieldError.invalid(at, status.availableReplicas, 'cannot be greater than readyReplicas');
  }
  yield* collisionsCounted(status, old.status);
}

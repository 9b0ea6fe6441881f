import type { DaemonSet, DaemonSetUpdateStrategy } from '../../../api/generated/apps-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { validatePodTemplate } from '../../core/validation/pod-template.ts';
import { type Findings, nonNegative, unchanged } from '../../validation/rules.ts';
import {
  atMostAll,
  collisionsCounted,
  goIntOrString,
  goStrategy,
  intOrPercent,
  isEmptySelector,
  isSelectorValid,
  keepsRunning,
  percentOf,
  readOnlyDisks,
  templateMatches,
} from './workload.ts';

const SPEC = FieldPath.of('spec');
const STATUS = FieldPath.of('status');

/** Upstream's ValidateDaemonSetSpec. */
export function* validateDaemonSet({ spec }: DaemonSet): Findings {
  const selector = SPEC.child('selector');
  const template = SPEC.child('template');
  yield* validateLabelSelector(spec.selector, selector);
  if (isSelectorValid(spec.selector, selector)) yield* templateMatches(spec.selector, spec.template, template);
  if (spec.selector !== null && isEmptySelector(spec.selector)) {
    yield fieldError.invalid(selector, spec.selector as Json, 'empty selector is invalid for daemonset');
  }
  yield* validatePodTemplate(spec.template, template);
  yield* readOnlyDisks(spec.template.spec?.volumes ?? [], template.child('spec', 'volumes'));
  yield* keepsRunning(spec.template, 'DaemonSet', template);
  yield* nonNegative(SPEC.child('minReadySeconds'), spec.minReadySeconds);
  yield* validateStrategy(spec.updateStrategy, SPEC.child('updateStrategy'));
  yield* nonNegative(SPEC.child('revisionHistoryLimit'), spec.revisionHistoryLimit);
}

function* validateStrategy({ type, rollingUpdate }: DaemonSetUpdateStrategy, path: FieldPath): Findings {
  if (type === 'OnDelete') return;
  if (type !== 'RollingUpdate') {
    const value = goStrategy('DaemonSetUpdateStrategy', type, 'RollingUpdateDaemonSet', rollingUpdate);
    return yield fieldError.notSupported(path, value, ['RollingUpdate', 'OnDelete']);
  }
  const rolling = path.child('rollingUpdate');
  if (rollingUpdate === undefined) return yield fieldError.required(rolling);
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate;
  for (const [field, value] of Object.entries({ maxUnavailable, maxSurge })) {
    yield* intOrPercent(value, rolling.child(field));
  }
  for (const [field, value] of Object.entries({ maxUnavailable, maxSurge })) {
    yield* atMostAll(value, rolling.child(field));
  }
  const [unavailable, surge] = [percentOf(maxUnavailable) !== 0, percentOf(maxSurge) !== 0];
  if (unavailable && surge) {
    const text = 'may not be set when maxUnavailable is non-zero';
    yield fieldError.invalid(rolling.child('maxSurge'), goIntOrString(maxSurge), text);
  } else if (!unavailable && !surge) {
    yield fieldError.required(rolling.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0');
  }
}

export function* validateDaemonSetUpdate({ spec }: DaemonSet, old: DaemonSet): Findings {
  yield* unchanged(SPEC.child('selector'), spec.selector, old.spec.selector);
}

/** Upstream's validateDaemonSetStatus. */
export function* validateDaemonSetStatus({ status }: DaemonSet, old: DaemonSet): Findings {
  for (const field of [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ] as const) {
    yield* nonNegative(STATUS.child(field), status[field]);
  }
  yield* collisionsCounted(status, old.status);
}

/** What the specs of Deployments, ReplicaSets, StatefulSets and DaemonSets have in common. */
import type { PodTemplateSpec, Volume } from '../../../api/generated/core-v1.ts';
import type { LabelSelector } from '../../../api/generated/meta-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { fieldError, goStringMap, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { IntOrString } from '../../../apimachinery/int-or-string.ts';
import { labelMatcher, validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isPercent } from '../../../apimachinery/names.ts';
import { validatePodTemplate } from '../../core/validation/pod-template.ts';
import type { Findings } from '../../validation/rules.ts';

export const isEmptySelector = (selector: LabelSelector): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;

/** A selector that has to be there and choose something; `kind` is the word messages use. */
export function* validateSelector(selector: LabelSelector | null, kind: string, path: FieldPath): Findings {
  if (selector === null) return yield fieldError.required(path);
  yield* validateLabelSelector(selector, path);
  if (isEmptySelector(selector)) {
    yield fieldError.invalid(path, selector as Json, `empty selector is invalid for ${kind}`);
  }
}

/** Whether the labels of the template are those that the selector looks for; no selector looks for nothing. */
export function* templateMatches(selector: LabelSelector | null, template: PodTemplateSpec, path: FieldPath): Findings {
  if (selector !== null && isEmptySelector(selector)) return;
  const labels = template.metadata?.labels;
  if (selector !== null && labelMatcher(selector).matches(labels)) return;
  const text = '`selector` does not match template `labels`';
  yield fieldError.invalid(path.child('metadata', 'labels'), goStringMap(labels), text);
}

export const isSelectorValid = (selector: LabelSelector | null, path: FieldPath): boolean =>
  validateLabelSelector(selector, path).length === 0;

/** Upstream's ValidatePodTemplateSpecForReplicaSet, but for the labels. */
export function* validateRunningTemplate(
  template: PodTemplateSpec,
  replicas: number | undefined,
  path: FieldPath,
): Findings {
  yield* validatePodTemplate(template, path);
  if ((replicas ?? 0) > 1) yield* readOnlyDisks(template.spec?.volumes ?? [], path.child('spec', 'volumes'));
  yield* keepsRunning(template, 'ReplicaSet', path);
}

/** Upstream's ValidateReadOnlyPersistentDisks: several Pods cannot write to one disk. */
export function* readOnlyDisks(volumes: readonly Volume[], path: FieldPath): Findings {
  const text =
    'must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only';
  for (const [index, { gcePersistentDisk: disk }] of volumes.entries()) {
    if (disk === undefined || disk.readOnly === true) continue;
    yield fieldError.invalid(path.index(index).child('gcePersistentDisk', 'readOnly'), false, text);
  }
}

/** The strategy of a workload as Go prints the struct. */
export function goStrategy(
  struct: string,
  type: string | undefined,
  details: string,
  rollingUpdate: object | undefined,
): Verbatim {
  const rolling = rollingUpdate === undefined ? `(*apps.${details})(nil)` : '{}';
  return new Verbatim(`apps.${struct}{Type:${JSON.stringify(type ?? '')}, RollingUpdate:${rolling}}`);
}

interface Collisions {
  readonly collisionCount?: number | undefined;
}

/** Collisions of names are counted, never uncounted. */
export function* collisionsCounted(status: Collisions, old: Collisions): Findings {
  const [after, before] = [status.collisionCount ?? 0, old.collisionCount];
  if (before !== undefined && after < before) {
    yield fieldError.invalid('status.collisionCount', after, 'cannot be decremented');
  }
}

export function* keepsRunning(template: PodTemplateSpec, kind: string, path: FieldPath): Findings {
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== undefined && restartPolicy !== 'Always') {
    yield fieldError.notSupported(path.child('spec', 'restartPolicy'), restartPolicy, ['Always']);
  }
  if (activeDeadlineSeconds !== undefined) {
    const text = `activeDeadlineSeconds in ${kind} is not Supported`;
    yield fieldError.forbidden(path.child('spec', 'activeDeadlineSeconds'), text);
  }
}

/** An IntOrString as Go prints the struct. */
export function goIntOrString(value: IntOrString): Verbatim {
  const [type, number, text] = typeof value === 'number' ? [0, value, ''] : [1, 0, value];
  return new Verbatim(`intstr.IntOrString{Type:${type}, IntVal:${number}, StrVal:${JSON.stringify(text)}}`);
}

/** Upstream's ValidatePositiveIntOrPercent and IsNotMoreThan100Percent. */
export function* intOrPercent(value: IntOrString | undefined, path: FieldPath): Findings {
  if (value === undefined) return;
  if (typeof value === 'number') {
    if (value < 0) yield fieldError.invalid(path, value, 'must be greater than or equal to 0');
  } else for (const text of isPercent(value)) yield fieldError.invalid(path, goIntOrString(value), text);
}

export function* atMostAll(value: IntOrString | undefined, path: FieldPath): Findings {
  if (typeof value === 'string' && isPercent(value).length === 0 && percentOf(value) > 100) {
    yield fieldError.invalid(path, goIntOrString(value), 'must not be greater than 100%');
  }
}

/** The number, or that before the percent sign. */
export const percentOf = (value: IntOrString): number =>
  typeof value === 'number' ? value : Number(/^([+-]?\d+)%?$/.exec(value)?.[1] ?? 0);

import type { Container, Pod, PodSpec, Toleration } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';
import { validatePodSpec } from './pod-spec.ts';

const SPEC = FieldPath.of('spec');
const MAX_INT32 = 2 ** 31 - 1;

/** Upstream's ValidatePodCreate. */
export function* validatePodCreate({ spec }: Pod): Findings {
  if ((spec.ephemeralContainers ?? []).length > 0) {
    yield fieldError.forbidden(SPEC.child('ephemeralContainers'), 'cannot be set on create');
  }
  if (spec.nodeName && (spec.schedulingGates ?? []).length > 0) {
    yield fieldError.forbidden(SPEC.child('nodeName'), 'cannot be set until all schedulingGates have been cleared');
  }
}

/** What holds for every Pod, new or changed. */
export function* validatePod({ spec }: Pod): Findings {
  yield* validatePodSpec(spec, SPEC);
  if (spec.serviceAccountName) return;
  for (const [index, { projected }] of (spec.volumes ?? []).entries()) {
    for (const [position, { serviceAccountToken }] of (projected?.sources ?? []).entries()) {
      if (serviceAccountToken === undefined) continue;
      const at = SPEC.child('volumes').index(index).child('projected', 'sources').index(position);
      const text = 'must not be specified when serviceAccountName is not set';
      yield fieldError.forbidden(at.child('serviceAccountToken'), text);
    }
  }
}

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** Upstream's ValidatePodUpdate: of a Pod's spec only images, the deadline and added tolerations may change. */
export function* validatePodUpdate(pod: Pod, old: Pod): Findings {
  for (const field of ['containers', 'initContainers'] as const) {
    if ((pod.spec[field] ?? []).length !== (old.spec[field] ?? []).length) {
      return yield fieldError.forbidden(SPEC.child(field), 'pod updates may not add or remove containers');
    }
  }
  const deadline = [...validateDeadline(pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds)];
  yield* deadline;
  if (deadline.length > 0) return;
  yield* onlyAdded(pod.spec.tolerations ?? [], old.spec.tolerations ?? []);
  const gates = new Set((old.spec.schedulingGates ?? []).map(({ name }) => name));
  for (const { name } of pod.spec.schedulingGates ?? []) {
    if (gates.has(name)) continue;
    const text = `only deletion is allowed, but found new scheduling gate '${name}'`;
    yield fieldError.forbidden(SPEC.child('schedulingGates'), text);
  }
  const gated = gates.size > 0;
  const [after, before] = [fixedPart(pod.spec, gated), fixedPart(old.spec, gated)];
  if (semanticEqual(after, before)) return;
  const text = `pod updates may not change fields other than ${UPDATABLE}\n${specDifference(after, before)}`;
  yield fieldError.forbidden(SPEC, text);
}

function* validateDeadline(value: number | undefined, old: number | undefined): Findings {
  const path = SPEC.child('activeDeadlineSeconds');
  if (value === undefined) {
    if (old !== undefined) {
      yield fieldError.invalid(path, undefined, 'must not update from a positive integer to nil value');
    }
  } else if (value < 0 || value > MAX_INT32) {
    yield fieldError.invalid(path, value, `must be between 0 and ${MAX_INT32}, inclusive`);
  } else if (old !== undefined && old < value) {
    yield fieldError.invalid(path, value, 'must be less than or equal to previous value');
  }
}

function* onlyAdded(tolerations: readonly Toleration[], old: readonly Toleration[]): Findings {
  const timeless = ({ tolerationSeconds: _, ...rest }: Toleration): object => rest;
  const kept = old.every((had) => tolerations.some((toleration) => semanticEqual(timeless(toleration), timeless(had))));
  if (kept) return;
  const text = 'existing toleration can not be modified except its tolerationSeconds';
  yield fieldError.forbidden(SPEC.child('tolerations'), text);
}

/** The part of the spec that no update may change; a Pod that waits at a gate may still be told where to go. */
function fixedPart(spec: PodSpec, gated: boolean): Record<string, unknown> {
  const imageless = (containers: readonly Container[] | undefined): object[] =>
    (containers ?? []).map((container) => ({ ...container, image: '' }));
  const grace = spec.terminationGracePeriodSeconds;
  return {
    ...spec,
    containers: imageless(spec.containers),
    initContainers: imageless(spec.initContainers),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
    terminationGracePeriodSeconds: grace !== undefined && grace < 0 ? 1 : grace,
    ...(gated ? { nodeSelector: undefined, affinity: undefined } : {}),
  };
}

/** Which fields differ, in the shape of upstream's diff. */
function specDifference(after: Record<string, unknown>, before: Record<string, unknown>): string {
  const lines: string[] = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (semanticEqual(after[key], before[key])) continue;
    const name = key.charAt(0).toUpperCase() + key.slice(1);
    lines.push(
      `- \t${name}: ${JSON.stringify(before[key] ?? null)},`,
      `+ \t${name}: ${JSON.stringify(after[key] ?? null)},`,
    );
  }
  return `  core.PodSpec{\n${lines.join('\n')}\n  }\n`;
}

/** Upstream's ValidatePodEphemeralContainersUpdate: containers are added, never changed or taken away. */
export function validateEphemeralContainersUpdate(pod: Pod, old: Pod): FieldError[] {
  const path = SPEC.child('ephemeralContainers');
  const errors = [...validatePod(pod)];
  const now = new Map((pod.spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const had of old.spec.ephemeralContainers ?? []) {
    const container = now.get(had.name);
    if (container === undefined) {
      const text = `existing ephemeral containers ${JSON.stringify(had.name)} may not be removed\n`;
      errors.push(fieldError.forbidden(path, text));
    } else if (!semanticEqual(container, had)) {
      const text = `existing ephemeral containers ${JSON.stringify(had.name)} may not be changed\n`;
      errors.push(fieldError.forbidden(path, text));
    }
  }
  return errors;
}

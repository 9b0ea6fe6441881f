import type {
  Affinity,
  Container,
  Pod,
  PodSchedulingGate,
  PodSpec,
  Toleration,
} from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath, WHOLE_OBJECT } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import { goDifference } from '../../validation/difference.ts';
import type { Findings } from '../../validation/rules.ts';
import { validateImageOfPod } from './containers.ts';
import { validateDirections } from './gated-pod.ts';
import { MIRROR, profilesAgree, validatePodAnnotations, validatePodAnnotationUpdate } from './pod-annotations.ts';
import { validatePodSpec } from './pod-spec.ts';
import { validateTolerations } from './scheduling.ts';

const SPEC = FieldPath.of('spec');
const ANNOTATIONS = FieldPath.of('metadata', 'annotations');
const MAX_INT32 = 2 ** 31 - 1;

/** Upstream's ValidatePodCreate. */
export function* validatePodCreate({ metadata, spec }: Pod): Findings {
  if ((spec.ephemeralContainers ?? []).length > 0) {
    yield fieldError.forbidden(SPEC.child('ephemeralContainers'), 'cannot be set on create');
  }
  if (spec.nodeName && (spec.schedulingGates ?? []).length > 0) {
    yield fieldError.forbidden(SPEC.child('nodeName'), 'cannot be set until all schedulingGates have been cleared');
  }
  yield* profilesAgree(metadata.annotations ?? {}, spec, SPEC);
}

/** What holds for every Pod, new or changed. */
export function* validatePod({ metadata, spec }: Pod): Findings {
  yield* validatePodAnnotations(metadata.annotations ?? {}, spec, ANNOTATIONS);
  yield* validatePodSpec(spec, SPEC, { podName: metadata.name, isPod: true });
  if (!spec.serviceAccountName) {
    for (const [index, { projected }] of (spec.volumes ?? []).entries()) {
      for (const [position, { serviceAccountToken }] of (projected?.sources ?? []).entries()) {
        if (serviceAccountToken === undefined) continue;
        const at = SPEC.child('volumes').index(index).child('projected', 'sources').index(position);
        const text = 'must not be specified when serviceAccountName is not set';
        yield fieldError.forbidden(at.child('serviceAccountToken'), text);
      }
    }
  }
  for (const field of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (spec[field] ?? []).entries()) {
      yield* validateImageOfPod(container, SPEC.child(field).index(index));
    }
  }
}

/** Upstream's ValidatePodSpecificAnnotationUpdates. */
export function* validateAnnotationsOfUpdate(pod: Pod, old: Pod): Findings {
  const annotations = pod.metadata.annotations ?? {};
  yield* validatePodAnnotationUpdate(annotations, old.metadata.annotations ?? {}, ANNOTATIONS);
  yield* validatePodAnnotations(annotations, pod.spec, ANNOTATIONS);
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
  yield* validateAnnotationsOfUpdate(pod, old);
  for (const field of ['containers', 'initContainers'] as const) {
    const path = SPEC.child(field);
    const containers = pod.spec[field] ?? [];
    if (containers.length !== (old.spec[field] ?? []).length) {
      return yield fieldError.forbidden(path, 'pod updates may not add or remove containers');
    }
    for (const [index, container] of containers.entries()) {
      if (!container.image) yield fieldError.required(path.index(index).child('image'));
      yield* validateImageOfPod(container, path.index(index));
    }
  }
  const { activeDeadlineSeconds } = pod.spec;
  const deadline = [...validateDeadline(activeDeadlineSeconds, old.spec.activeDeadlineSeconds)];
  yield* deadline;
  if (deadline.length > 0 && activeDeadlineSeconds !== undefined) return;
  yield* onlyAdded(pod.spec.tolerations ?? [], old.spec.tolerations ?? []);
  yield* onlyDeletedGates(pod.spec.schedulingGates ?? [], old.spec.schedulingGates ?? []);
  const isGated = (old.spec.schedulingGates ?? []).length > 0;
  if (isGated) yield* validateDirections(pod.spec, old.spec);
  const [after, before] = [fixedPart(pod.spec, old.spec, isGated), fixedPart(old.spec, old.spec, isGated)];
  if (semanticEqual(after, before)) return;
  const text = `pod updates may not change fields other than ${UPDATABLE}\n${goDifference('core.PodSpec', after, before)}`;
  yield fieldError.forbidden(SPEC, text);
}

function* onlyDeletedGates(gates: readonly PodSchedulingGate[], old: readonly PodSchedulingGate[]): Findings {
  const had = new Set(old.map(({ name }) => name));
  for (const [index, { name }] of gates.entries()) {
    if (had.has(name)) continue;
    const text = `only deletion is allowed, but found new scheduling gate '${name}'`;
    yield fieldError.forbidden(SPEC.child('schedulingGates').index(index).child('name'), text);
  }
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
  const path = SPEC.child('tolerations');
  const timeless = ({ tolerationSeconds: _, ...rest }: Toleration): object => rest;
  const kept = old.every((had) => tolerations.some((toleration) => semanticEqual(timeless(toleration), timeless(had))));
  if (kept) yield* validateTolerations(tolerations, path);
  else yield fieldError.forbidden(path, 'existing toleration can not be modified except its tolerationSeconds');
}

/** The part of the spec that no update may change; a Pod that waits at a gate may still be told where to go. */
function fixedPart(spec: PodSpec, old: PodSpec, isGated: boolean): Record<string, unknown> {
  const imageless = (containers: readonly Container[] | undefined): object[] =>
    (containers ?? []).map((container) => ({ ...container, image: '' }));
  const { terminationGracePeriodSeconds: grace } = spec;
  const isMended = (old.terminationGracePeriodSeconds ?? 0) < 0 && grace === 1;
  return {
    ...spec,
    containers: imageless(spec.containers),
    initContainers: imageless(spec.initContainers),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
    terminationGracePeriodSeconds: isMended ? old.terminationGracePeriodSeconds : grace,
    ...(isGated ? { nodeSelector: undefined, affinity: withoutNodeAffinity(spec.affinity) } : {}),
  };
}

function withoutNodeAffinity(affinity: Affinity | undefined): object | undefined {
  const { nodeAffinity: _, ...others } = affinity ?? {};
  return Object.keys(others).length === 0 ? undefined : others;
}

/** Upstream's ValidatePodEphemeralContainersUpdate: containers are added, never changed or taken away. */
export function validateEphemeralContainersUpdate(pod: Pod, old: Pod): FieldError[] {
  if (old.metadata.annotations?.[MIRROR] !== undefined) {
    return [fieldError.forbidden(WHOLE_OBJECT, 'static pods do not support ephemeral containers')];
  }
  const path = SPEC.child('ephemeralContainers');
  const errors = [...validatePod(pod), ...validateAnnotationsOfUpdate(pod, old)];
  const now = new Map((pod.spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const had of old.spec.ephemeralContainers ?? []) {
    const container = now.get(had.name);
    if (container === undefined) {
      const text = `existing ephemeral containers ${goQuote(had.name)} may not be removed\n`;
      errors.push(fieldError.forbidden(path, text));
    } else if (!semanticEqual(container, had)) {
      const difference = goDifference('core.EphemeralContainer', { ...container }, { ...had });
      const text = `existing ephemeral containers ${goQuote(had.name)} may not be changed\n${difference}`;
      errors.push(fieldError.forbidden(path, text));
    }
  }
  return errors;
}

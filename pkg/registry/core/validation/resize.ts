import type { Container, Pod, ResourceRequirements } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { qosClass } from '../../../apimachinery/qos.ts';
import type { Findings } from '../../validation/rules.ts';
import { validatePod } from './pod.ts';

const ROOT = FieldPath.of();
const SPEC = FieldPath.of('spec');
const MIRROR = 'kubernetes.io/config.mirror';
const RESIZABLE: ReadonlySet<string> = new Set(['cpu', 'memory']);

/** Copies into `draft` what a resize may change: resources of containers, and what a change of them asks for. */
export function takeResources(draft: Pod, submitted: Pod): void {
  for (const field of ['containers', 'initContainers'] as const) {
    const wanted = new Map((submitted.spec[field] ?? []).map((container) => [container.name, container]));
    for (const container of draft.spec[field] ?? []) {
      const other = wanted.get(container.name);
      if (other === undefined) continue;
      container.resources = other.resources;
      if (other.resizePolicy === undefined) delete container.resizePolicy;
      else container.resizePolicy = other.resizePolicy;
    }
  }
}

/** Upstream's ValidatePodResize; the Pods differ in nothing but resources and resize policies. */
export function validateResize(pod: Pod, old: Pod): FieldError[] {
  if (old.metadata.annotations?.[MIRROR] !== undefined) {
    return [fieldError.forbidden(ROOT, 'static pods cannot be resized')];
  }
  if (old.spec.os?.name === 'windows') return [fieldError.forbidden(ROOT, 'windows pods cannot be resized')];
  return [...validatePod(pod), ...changes(pod, old)];
}

function* changes(pod: Pod, old: Pod): Findings {
  const quality = qosClass(pod);
  if (quality !== (old.status.qosClass ?? qosClass(old))) {
    const text = 'Pod QOS Class may not change as a result of resizing';
    yield fieldError.invalid(SPEC, old.status.qosClass ?? qosClass(old), text);
  }
  for (const field of ['initContainers', 'containers'] as const) {
    for (const [index, before] of (old.spec[field] ?? []).entries()) {
      const after = pod.spec[field]?.[index];
      if (after === undefined) continue;
      const isResizable = field === 'containers' || before.restartPolicy === 'Always';
      if (isResizable)
        yield* removals(after.resources, before.resources, SPEC.child(field).index(index).child('resources'));
    }
  }
  for (const [index, before] of (old.spec.containers ?? []).entries()) {
    yield* onlyResizable(pod.spec.containers[index], before);
  }
  for (const [index, before] of (old.spec.initContainers ?? []).entries()) {
    const after = pod.spec.initContainers?.[index];
    if (before.restartPolicy === 'Always') yield* onlyResizable(after, before);
    else if (!semanticEqual(after, before)) {
      yield fieldError.forbidden(SPEC, 'resources for non-sidecar init containers are immutable');
    }
  }
}

function* removals(after: ResourceRequirements = {}, before: ResourceRequirements = {}, path: FieldPath): Findings {
  for (const kind of ['limits', 'requests'] as const) {
    const removed = Object.keys(before[kind] ?? {}).some((name) => after[kind]?.[name] === undefined);
    if (removed) yield fieldError.forbidden(path.child(kind), `resource ${kind} cannot be removed`);
  }
}

function* onlyResizable(after: Container | undefined, before: Container): Findings {
  if (after === undefined || semanticEqual(fixedPart(after), fixedPart(before))) return;
  yield fieldError.forbidden(SPEC, 'only cpu and memory resources are mutable');
}

/** A container without what may be changed of it. */
function fixedPart({ resizePolicy: _, resources = {}, ...container }: Container): object {
  const fixed = (amounts: Readonly<Record<string, string>> | undefined): object =>
    Object.fromEntries(Object.entries(amounts ?? {}).filter(([name]) => !RESIZABLE.has(name)));
  const { limits, requests, ...others } = resources;
  return { ...container, resources: { ...others, limits: fixed(limits), requests: fixed(requests) } };
}

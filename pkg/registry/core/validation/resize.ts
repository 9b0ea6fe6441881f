import type { Container, Pod, PodSpec, ResourceRequirements } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath, WHOLE_OBJECT } from '../../../apimachinery/field-path.ts';
import { qosClass } from '../../../apimachinery/qos.ts';
import type { Findings } from '../../validation/rules.ts';
import { validatePod } from './pod.ts';
import { MIRROR } from './pod-annotations.ts';

const SPEC = FieldPath.of('spec');
const RESIZABLE: ReadonlySet<string> = new Set(['cpu', 'memory']);
const LISTS = ['containers', 'initContainers'] as const;

/**
 * Copies into `draft` what a resize may change: resources of the Pod and of containers, and what a change of them asks
 * for. Whoever changes which containers there are is refused for it, so what they sent is taken as it is.
 */
export function takeResources(draft: Pod, submitted: Pod): void {
  const isOther = LISTS.some(
    (field) =>
      !semanticEqual(
        (draft.spec[field] ?? []).map(({ name }) => name),
        (submitted.spec[field] ?? []).map(({ name }) => name),
      ),
  );
  if (isOther) {
    draft.spec = submitted.spec;
    return;
  }
  setOrDelete(draft.spec, 'resources', submitted.spec.resources);
  for (const field of LISTS) {
    for (const [index, container] of (draft.spec[field] ?? []).entries()) {
      const wanted = submitted.spec[field]?.[index];
      setOrDelete(container, 'resources', wanted?.resources);
      setOrDelete(container, 'resizePolicy', wanted?.resizePolicy);
    }
  }
}

function setOrDelete<T, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}

/** Upstream's ValidatePodResize. */
export function validateResize(pod: Pod, old: Pod): FieldError[] {
  if (old.metadata.annotations?.[MIRROR] !== undefined) {
    return [fieldError.forbidden(WHOLE_OBJECT, 'static pods cannot be resized')];
  }
  if (old.spec.os?.name === 'windows') return [fieldError.forbidden(WHOLE_OBJECT, 'windows pods cannot be resized')];
  return [...validatePod(pod), ...changes(pod, old)];
}

function* changes(pod: Pod, old: Pod): Findings {
  if (qosClass(pod) !== (old.status.qosClass || qosClass(old))) {
    const text = 'Pod QOS Class may not change as a result of resizing';
    yield fieldError.invalid(SPEC, pod.status.qosClass ?? '', text);
  }
  const running = (old.status.containerStatuses ?? []).find(({ state }) => state?.running !== undefined);
  if (running !== undefined && running.resources === undefined) {
    yield fieldError.forbidden(SPEC, 'Pod running on node without support for resize');
  }
  if (hasResources(pod.spec) || hasResources(old.spec)) yield* podLevel(pod.spec.resources, old.spec.resources);
  if ((old.status.nodeAllocatableResourceClaimStatuses ?? []).length > 0) {
    yield fieldError.forbidden(SPEC, 'pods with node allocatable resource claims cannot be resized');
  }
  const order = [...sameContainers(pod.spec, old.spec)];
  yield* order;
  if (order.length > 0) return;
  for (const [index, before] of (old.spec.initContainers ?? []).entries()) {
    const after = pod.spec.initContainers?.[index]?.resources;
    const path = SPEC.child('initContainers').index(index).child('resources');
    yield* removals(after, before.resources, path, 'resource');
  }
  for (const [index, before] of (old.spec.containers ?? []).entries()) {
    const path = SPEC.child('containers').index(index).child('resources');
    yield* removals(pod.spec.containers[index]?.resources, before.resources, path, 'resource');
  }
  yield* onlyAmounts(pod.spec, old.spec);
}

const hasResources = ({ resources }: PodSpec): boolean =>
  Object.keys({ ...resources?.requests, ...resources?.limits }).length > 0;

const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === 'Always';

/** Upstream's validatePodLevelResourcesResize. */
function* podLevel(after: ResourceRequirements | undefined, before: ResourceRequirements | undefined): Findings {
  const path = SPEC.child('resources');
  if (before !== undefined && after === undefined) {
    return yield fieldError.forbidden(path, 'pod-level resources cannot be removed');
  }
  yield* removals(after, before, path, 'pod-level resource');
  if (!semanticEqual(fixedAmounts(after), fixedAmounts(before))) {
    yield fieldError.forbidden(SPEC, 'only cpu and memory resources are mutable at pod-level');
  }
}

/** Upstream's validatePodResizeContainerOrdering. */
function* sameContainers(spec: PodSpec, old: PodSpec): Findings {
  for (const field of LISTS) {
    const path = SPEC.child(field);
    const [after, before] = [spec[field] ?? [], old[field] ?? []];
    if (after.length !== before.length) {
      yield fieldError.forbidden(path, `${field} may not be added or removed on resize`);
      continue;
    }
    for (const [index, { name }] of before.entries()) {
      if (after[index]?.name === name) continue;
      yield fieldError.forbidden(path.index(index).child('name'), `${field} may not be renamed or reordered on resize`);
    }
  }
}

function* removals(
  after: ResourceRequirements = {},
  before: ResourceRequirements = {},
  path: FieldPath,
  what: string,
): Findings {
  for (const kind of ['requests', 'limits'] as const) {
    const removed = Object.keys(before[kind] ?? {}).some((name) => after[kind]?.[name] === undefined);
    if (removed) yield fieldError.forbidden(path.child(kind), `${what} ${kind} cannot be removed`);
  }
}

function* onlyAmounts(spec: PodSpec, old: PodSpec): Findings {
  for (const [index, before] of (old.containers ?? []).entries()) {
    if (semanticEqual(fixedPart(spec.containers[index]), fixedPart(before))) continue;
    yield fieldError.forbidden(SPEC, 'only cpu and memory resources are mutable');
  }
  for (const [index, before] of (old.initContainers ?? []).entries()) {
    const after = spec.initContainers?.[index];
    const path = SPEC.child('initContainers').index(index);
    if (!semanticEqual(fixedPart(after), fixedPart(before))) {
      yield fieldError.forbidden(path, 'only cpu and memory resources for init or sidecar containers are mutable');
    }
    const restarts = (before.resizePolicy ?? []).some(({ restartPolicy }) => restartPolicy === 'RestartContainer');
    if (!isSidecar(before) && restarts && !semanticEqual(after, before)) {
      const text = 'non-sidecar init containers with a resize policy of RestartContainer cannot be resized';
      yield fieldError.forbidden(path, text);
    }
  }
}

/** A container without what may be changed of it. */
function fixedPart(container: Container | undefined): object | undefined {
  return container && { ...container, resources: fixedAmounts(container.resources) };
}

function fixedAmounts(resources: ResourceRequirements = {}): object {
  const fixed = (amounts: Readonly<Record<string, string>> | undefined): object =>
    Object.fromEntries(Object.entries(amounts ?? {}).filter(([name]) => !RESIZABLE.has(name)));
  return { ...resources, limits: fixed(resources.limits), requests: fixed(resources.requests) };
}

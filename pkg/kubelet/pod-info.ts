/** Questions about a Pod's spec that many parts of the kubelet ask. */
import type { Container, Pod, Probe } from '../api/generated/core-v1.ts';

/** `name_namespace(uid)`, upstream's way of naming a Pod in messages. */
export function podText(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace ?? ''}(${pod.metadata.uid})`;
}

/** `namespace/name`, for logs. */
export function podKey(pod: Pod): string {
  return `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
}

/** An init container that keeps running beside the others: a sidecar. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

export type ContainerRole = 'init' | 'main' | 'ephemeral';

export interface RoledContainer {
  readonly container: Container;
  readonly role: ContainerRole;
}

/** All containers in order: init, main, ephemeral. */
export function allContainers(pod: Pod): readonly RoledContainer[] {
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec;
  return [
    ...initContainers.map((container) => ({ container, role: 'init' as const })),
    ...containers.map((container) => ({ container, role: 'main' as const })),
    ...ephemeralContainers.map((container) => ({ container, role: 'ephemeral' as const })),
  ];
}

export function findContainer(pod: Pod, name: string): RoledContainer | undefined {
  return allContainers(pod).find(({ container }) => container.name === name);
}

const FIELD_OF_ROLE: Readonly<Record<ContainerRole, string>> = {
  init: 'spec.initContainers',
  main: 'spec.containers',
  ephemeral: 'spec.ephemeralContainers',
};

/** `spec.containers{web}`: the part of the Pod an event is about. */
export function containerFieldPath(pod: Pod, name: string): string | undefined {
  const found = findContainer(pod, name);
  return found === undefined ? undefined : `${FIELD_OF_ROLE[found.role]}{${name}}`;
}

/** The number of a probe's or action's port: itself, or that of the container's port with this name. */
export function resolvePort(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((candidate) => candidate.name === port)?.containerPort;
  if (named !== undefined) return named;
  return /^\d+$/.test(port) ? Number(port) : undefined;
}

export type ProbeKind = 'liveness' | 'readiness' | 'startup';

export function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  if (kind === 'liveness') return container.livenessProbe;
  return kind === 'readiness' ? container.readinessProbe : container.startupProbe;
}

/** A Pod that will never run again. */
export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** The API's view of containers: upstream kubelet's convertToAPIContainerStatuses. Pure. */
import type {
  Container,
  ContainerState,
  ContainerStatus,
  EphemeralContainer,
  Pod,
  VolumeMountStatus,
} from '../api/generated/core-v1.ts';
import { formatTime } from '../apimachinery/time.ts';
import { isSidecar } from './pod-info.ts';
import { restartsAfterExit, shouldStart } from './restart-policy.ts';
import { type ContainerRuntimeStatus, newestContainer, type PodRuntimeStatus } from './runtime-status.ts';

/** Why a container is not running: the error its last start ended with. */
export interface WaitingReason {
  readonly reason: string;
  readonly message: string;
}

export interface ContainerStatusInput {
  readonly pod: Pod;
  readonly runtime: PodRuntimeStatus;
  /** By container name. */
  readonly waiting: ReadonlyMap<string, WaitingReason>;
  /** Whether a running container's readiness and startup probes are content. */
  readonly isReady: (containerId: string) => boolean;
  readonly isStarted: (containerId: string) => boolean;
}

export interface ContainerStatuses {
  /** In the order of the spec. */
  readonly init: readonly ContainerStatus[];
  /** By name, as upstream sorts them. */
  readonly main: readonly ContainerStatus[];
  readonly ephemeral: readonly ContainerStatus[];
}

/** `containerd://<id>`. */
export function containerIdText(id: string): string {
  return `containerd://${id}`;
}

function stateOf(container: ContainerRuntimeStatus): ContainerState {
  switch (container.state) {
    case 'running':
      return { running: { startedAt: formatTime(container.startedAt) } };
    case 'exited':
      return {
        terminated: {
          exitCode: container.exitCode,
          ...(container.reason === '' ? {} : { reason: container.reason }),
          ...(container.message === '' ? {} : { message: container.message }),
          // A container that could not be started has 1970 here, as people know it from upstream.
          startedAt: formatTime(container.startedAt),
          finishedAt: formatTime(container.finishedAt),
          containerID: containerIdText(container.id),
        },
      };
    default:
      return { waiting: { reason: 'ContainerCreating' } };
  }
}

function mountStatuses(container: Container): VolumeMountStatus[] {
  return (container.volumeMounts ?? []).map((mount) => ({
    name: mount.name,
    mountPath: mount.mountPath,
    ...(mount.readOnly === true ? { readOnly: true, recursiveReadOnly: mount.recursiveReadOnly ?? 'Disabled' } : {}),
  }));
}

/** A container of which the runtime knows nothing. */
function absentStatus(pod: Pod, container: Container, role: Role, old: ContainerStatus | undefined): ContainerStatus {
  const ended = old?.state.terminated;
  if (role === 'init' && old !== undefined && ended !== undefined) return old;
  const reason =
    (pod.spec.initContainers ?? []).length > 0 && role !== 'ephemeral' ? 'PodInitializing' : 'ContainerCreating';
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: '',
    state: lostState(pod, old) ?? { waiting: { reason } },
    lastState: old?.lastState ?? {},
    restartCount: old?.restartCount ?? 0,
    ready: false,
    ...(role === 'init' && !isSidecar(container) ? {} : { started: false }),
    ...mountPart(container),
  };
}

function mountPart(container: Container): Pick<ContainerStatus, 'volumeMounts'> {
  const volumeMounts = mountStatuses(container);
  return volumeMounts.length === 0 ? {} : { volumeMounts };
}

/** A container that was running and whose record has vanished in a Pod that may not run it again. */
function lostState(pod: Pod, old: ContainerStatus | undefined): ContainerState | undefined {
  if (old?.state.running === undefined && old?.state.terminated === undefined) return undefined;
  const ended = old.state.terminated;
  const over = pod.metadata.deletionTimestamp !== undefined || pod.spec.restartPolicy === 'Never';
  if (ended !== undefined) return over ? old.state : undefined;
  if (!over) return undefined;
  const message = 'The container could not be located when the pod was terminated';
  return {
    terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message, startedAt: null, finishedAt: null },
  };
}

type Role = 'init' | 'main' | 'ephemeral';

function presentStatus(
  input: ContainerStatusInput,
  container: Container,
  role: Role,
  instances: readonly ContainerRuntimeStatus[],
  old: ContainerStatus | undefined,
): ContainerStatus | undefined {
  const [newest, previous] = instances;
  if (newest === undefined) return undefined;
  const running = newest.state === 'running';
  const started = running && input.isStarted(newest.id);
  const plainInit = role === 'init' && !isSidecar(container);
  const ready = plainInit
    ? newest.state === 'exited' && newest.exitCode === 0
    : role !== 'ephemeral' && started && input.isReady(newest.id);
  const { limits, requests } = container.resources ?? {};
  const hasResources = limits !== undefined || requests !== undefined;
  return {
    name: container.name,
    state: stateOf(newest),
    lastState:
      previous === undefined ? (old?.restartCount === newest.restartCount ? old.lastState : {}) : stateOf(previous),
    ready,
    restartCount: newest.restartCount,
    image: newest.image,
    imageID: newest.imageRef,
    containerID: containerIdText(newest.id),
    started,
    ...(running && hasResources ? { resources: { ...(limits && { limits }), ...(requests && { requests }) } } : {}),
    ...(running && requests !== undefined ? { allocatedResources: requests } : {}),
    ...mountPart(container),
    ...(newest.user === undefined
      ? {}
      : { user: { linux: { ...newest.user, supplementalGroups: [...newest.user.supplementalGroups] } } }),
  };
}

/** Whether the container is about to be started (again), so that an error of the last try makes it `waiting`. */
function willStart(input: ContainerStatusInput, container: Container, role: Role): boolean {
  const newest = newestContainer(input.runtime, container.name);
  if (role !== 'init') return shouldStart(input.pod, container, newest);
  if (input.pod.metadata.deletionTimestamp !== undefined) return false;
  if (newest === undefined || newest.state !== 'exited') return newest?.state !== 'running';
  if (isSidecar(container)) return true;
  return (
    newest.exitCode !== 0 &&
    (restartsAfterExit(input.pod, container, newest.exitCode) || input.pod.spec.restartPolicy !== 'Never')
  );
}

function statusOf(
  input: ContainerStatusInput,
  container: Container,
  role: Role,
  old: ContainerStatus | undefined,
): ContainerStatus {
  const instances = input.runtime.containers.filter((candidate) => candidate.name === container.name);
  const status = presentStatus(input, container, role, instances, old) ?? absentStatus(input.pod, container, role, old);
  const waiting = input.waiting.get(container.name);
  if (waiting === undefined || !willStart(input, container, role)) return status;
  const lastState = status.state.terminated === undefined ? status.lastState : { terminated: status.state.terminated };
  return { ...status, state: { waiting: { ...waiting } }, lastState, ready: false };
}

function byName(a: ContainerStatus, b: ContainerStatus): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** The statuses of all containers of `input.pod`; its present status supplies what the runtime has forgotten. */
export function containerStatuses(input: ContainerStatusInput): ContainerStatuses {
  const { spec, status } = input.pod;
  const of = (containers: readonly (Container | EphemeralContainer)[], role: Role, old: readonly ContainerStatus[]) =>
    containers.map((container) =>
      statusOf(
        input,
        container,
        role,
        old.find((candidate) => candidate.name === container.name),
      ),
    );
  return {
    init: of(spec.initContainers ?? [], 'init', status.initContainerStatuses ?? []),
    main: of(spec.containers, 'main', status.containerStatuses ?? []).sort(byName),
    ephemeral: of(spec.ephemeralContainers ?? [], 'ephemeral', status.ephemeralContainerStatuses ?? []).sort(byName),
  };
}

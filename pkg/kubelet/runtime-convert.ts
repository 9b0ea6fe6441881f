/** From CRI's answers to the kubelet's own types. */
import type { EnumValue, Message } from '../cri/types.ts';
import { ANNOTATIONS, LABELS } from './container-labels.ts';
import type { ContainerRunState, ContainerRuntimeStatus, SandboxRuntimeStatus } from './runtime-status.ts';

const STATES: Readonly<Record<EnumValue<'ContainerState'>, ContainerRunState>> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
};

export function runState(state: EnumValue<'ContainerState'>): ContainerRunState {
  return STATES[state];
}

/** Nanoseconds since the epoch as milliseconds; CRI's "never" (0 or before the epoch) is 0. */
function milliseconds(nanos: bigint): number {
  return nanos <= 0n ? 0 : Number(nanos / 1_000_000n);
}

/** The status of a container; `message` is its termination message. */
export function containerFromCri(
  status: Message<'ContainerStatus'>,
  sandboxId: string,
  message: string,
): ContainerRuntimeStatus {
  const user = status.user?.linux;
  return {
    id: status.id,
    name: status.labels[LABELS.containerName] ?? status.metadata?.name ?? '',
    sandboxId,
    state: runState(status.state),
    restartCount: status.metadata?.attempt ?? 0,
    hash: status.annotations[ANNOTATIONS.hash] ?? '',
    createdAt: milliseconds(status.createdAt),
    startedAt: milliseconds(status.startedAt),
    finishedAt: milliseconds(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message,
    image: status.image?.userSpecifiedImage || status.image?.image || '',
    imageRef: status.imageRef,
    logPath: status.logPath,
    annotations: status.annotations,
    ...(user === undefined
      ? {}
      : { user: { uid: user.uid, gid: user.gid, supplementalGroups: user.supplementalGroups } }),
  };
}

export function sandboxFromCri(status: Message<'PodSandboxStatus'>): SandboxRuntimeStatus {
  const network = status.network;
  const ips = [network?.ip ?? '', ...(network?.additionalIps ?? []).map(({ ip }) => ip)].filter((ip) => ip !== '');
  return {
    id: status.id,
    ready: status.state === 'SANDBOX_READY',
    attempt: status.metadata?.attempt ?? 0,
    createdAt: milliseconds(status.createdAt),
    hostNetwork: status.linux?.namespaces?.options?.network === 'NODE',
    ips,
  };
}

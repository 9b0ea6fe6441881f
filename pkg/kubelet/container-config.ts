import type { Container, EphemeralContainer, Pod, VolumeMount } from '../api/generated/core-v1.ts';
import { enums } from '../cri/facts.ts';
import type { EnumValue, MessageInit } from '../cri/types.ts';
import { containerResources } from './cgroup-resources.ts';
import { ContainerStartError } from './container-error.ts';
import { containerAnnotations, containerLabels } from './container-labels.ts';
import type { EnvValue } from './env.ts';
import { expand } from './expansion.ts';
import { containerSecurity, type SecurityDefaults } from './security-context.ts';

export interface ContainerConfigInput {
  readonly pod: Pod;
  readonly container: Container | EphemeralContainer;
  readonly restartCount: number;
  /** The image's id or digest as ImageStatus gave it. */
  readonly imageRef: string;
  readonly env: ReadonlyMap<string, EnvValue>;
  readonly mounts: readonly MessageInit<'Mount'>[];
  /** The host's file that takes the termination message. */
  readonly terminationMessageFile: string;
  /** The node's memory in bytes. */
  readonly memoryCapacity: number;
  readonly security: SecurityDefaults;
  /** For an ephemeral container with targetContainerName: that container's id. */
  readonly targetContainerId?: string | undefined;
}

const SIGNALS: ReadonlySet<string> = new Set(enums.Signal);

function isSignal(text: string): text is EnumValue<'Signal'> {
  return SIGNALS.has(text);
}

const PROPAGATION: Readonly<Record<string, EnumValue<'MountPropagation'>>> = {
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
};

/** CRI's mount of the host's `hostPath` as `mount` asks for it; `readOnly` forces what the volume's kind demands. */
export function criMount(mount: VolumeMount, hostPath: string, readOnly: boolean): MessageInit<'Mount'> {
  const onlyRead = readOnly || mount.readOnly === true;
  return {
    containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
    hostPath,
    readonly: onlyRead,
    recursiveReadOnly: onlyRead && mount.recursiveReadOnly === 'Enabled',
    propagation: PROPAGATION[mount.mountPropagation ?? ''] ?? 'PROPAGATION_PRIVATE',
  };
}

/** A container's log file, relative to the Pod's log folder. */
export function containerLogPath(name: string, restartCount: number): string {
  return `${name}/${restartCount}.log`;
}

/** CRI's configuration of one container instance. Pure. Throws ContainerStartError for a spec that cannot run. */
export function containerConfig(input: ContainerConfigInput): MessageInit<'ContainerConfig'> {
  const { pod, container, restartCount } = input;
  const lookup = (name: string): string | undefined => input.env.get(name)?.toString();
  const stopSignal = container.lifecycle?.stopSignal;
  if (stopSignal !== undefined && !isSignal(stopSignal)) {
    throw new ContainerStartError('CreateContainerConfigError', `unknown stop signal ${stopSignal}`);
  }
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: input.imageRef, userSpecifiedImage: container.image ?? '' },
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? '',
    envs: [...input.env].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: input.mounts,
    labels: containerLabels(pod, container),
    annotations: containerAnnotations(pod, container, restartCount, input.terminationMessageFile),
    logPath: containerLogPath(container.name, restartCount),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: containerResources(pod, container, input.memoryCapacity),
      securityContext: containerSecurity(pod, container, input.security, input.targetContainerId),
    },
    stopSignal,
  };
}

/** Security settings as CRI takes them, from the Pod's and the container's securityContext. Pure. */
import { join } from 'node:path';
import type { AppArmorProfile, Container, Pod, SeccompProfile } from '../api/generated/core-v1.ts';
import type { MessageInit } from '../cri/types.ts';
import { ContainerStartError } from './container-error.ts';
import { podText } from './pod-info.ts';

/** Hidden from containers, and read-only to them, unless procMount says otherwise. */
const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export interface SecurityDefaults {
  /** Where profiles of type Localhost are looked up. */
  readonly seccompDir: string;
}

function seccomp(profile: SeccompProfile | undefined, defaults: SecurityDefaults): MessageInit<'SecurityProfile'> {
  switch (profile?.type) {
    case 'RuntimeDefault':
      return { profileType: 'RuntimeDefault' };
    case 'Localhost':
      return { profileType: 'Localhost', localhostRef: join(defaults.seccompDir, profile.localhostProfile ?? '') };
    default:
      return { profileType: 'Unconfined' };
  }
}

function apparmor(profile: AppArmorProfile | undefined): MessageInit<'SecurityProfile'> | undefined {
  switch (profile?.type) {
    case undefined:
      return undefined;
    case 'Localhost':
      return { profileType: 'Localhost', localhostRef: profile.localhostProfile ?? '' };
    case 'Unconfined':
      return { profileType: 'Unconfined' };
    default:
      return { profileType: 'RuntimeDefault' };
  }
}

/** Which namespaces a Pod shares with the host and its containers with each other. */
export function namespaceOptions(pod: Pod, targetContainerId?: string): MessageInit<'NamespaceOption'> {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec;
  const pid = hostPID === true ? 'NODE' : shareProcessNamespace === true ? 'POD' : 'CONTAINER';
  return {
    network: hostNetwork === true ? 'NODE' : 'POD',
    ipc: hostIPC === true ? 'NODE' : 'POD',
    ...(targetContainerId === undefined || pid === 'NODE' ? { pid } : { pid: 'TARGET', targetId: targetContainerId }),
  };
}

function int64(value: number | undefined): { readonly value: number } | undefined {
  return value === undefined ? undefined : { value };
}

function groups(pod: Pod): number[] {
  const { fsGroup, supplementalGroups = [] } = pod.spec.securityContext ?? {};
  return fsGroup === undefined ? supplementalGroups : [fsGroup, ...supplementalGroups];
}

function groupsPolicy(pod: Pod): { readonly supplementalGroupsPolicy: 'Merge' | 'Strict' } {
  const strict = pod.spec.securityContext?.supplementalGroupsPolicy === 'Strict';
  return { supplementalGroupsPolicy: strict ? 'Strict' : 'Merge' };
}

/** Of the sandbox, whose pause process always gets the runtime's default seccomp profile. */
export function sandboxSecurity(pod: Pod): MessageInit<'LinuxSandboxSecurityContext'> {
  const { runAsUser, runAsGroup } = pod.spec.securityContext ?? {};
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return {
    namespaceOptions: namespaceOptions(pod),
    privileged: containers.some((container) => container.securityContext?.privileged === true),
    seccomp: { profileType: 'RuntimeDefault' },
    runAsUser: int64(runAsUser),
    runAsGroup: runAsUser === undefined ? undefined : int64(runAsGroup),
    supplementalGroups: groups(pod),
    ...groupsPolicy(pod),
  };
}

/** Of a container; its own settings win over the Pod's. `targetContainerId` shares another container's processes. */
export function containerSecurity(
  pod: Pod,
  container: Container,
  defaults: SecurityDefaults,
  targetContainerId?: string,
): MessageInit<'LinuxContainerSecurityContext'> {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const privileged = own.privileged === true;
  const masks = !privileged && own.procMount !== 'Unmasked';
  return {
    namespaceOptions: namespaceOptions(pod, targetContainerId),
    privileged,
    capabilities: {
      addCapabilities: own.capabilities?.add ?? [],
      dropCapabilities: own.capabilities?.drop ?? [],
    },
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    runAsUser: int64(runAsUser),
    runAsGroup: int64(own.runAsGroup ?? shared.runAsGroup),
    supplementalGroups: groups(pod),
    ...groupsPolicy(pod),
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: masks ? MASKED_PATHS : [],
    readonlyPaths: masks ? READONLY_PATHS : [],
    seccomp: privileged
      ? { profileType: 'Unconfined' }
      : seccomp(own.seccompProfile ?? shared.seccompProfile, defaults),
    apparmor: apparmor(own.appArmorProfile ?? shared.appArmorProfile),
  };
}

/** The user an image runs as by default, as CRI's Image tells it. */
export interface ImageUser {
  readonly uid: number | undefined;
  readonly username: string;
}

/** Throws ContainerStartError when `runAsNonRoot` is asked for and the container would run as root. */
export function verifyNonRoot(pod: Pod, container: Container, image: ImageUser): void {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) !== true) return;
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const where = `(pod: "${podText(pod)}", container: ${container.name})`;
  const refuse = (why: string): never => {
    throw new ContainerStartError('CreateContainerConfigError', `${why} ${where}`);
  };
  if (runAsUser !== undefined) {
    if (runAsUser === 0) refuse("container's runAsUser breaks non-root policy");
    return;
  }
  if (image.username !== '') {
    refuse(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`,
    );
  }
  if (image.uid === undefined || image.uid === 0) refuse('container has runAsNonRoot and image will run as root');
}

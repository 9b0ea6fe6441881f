import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, normalize } from 'node:path';
import type { Container, Pod, VolumeMount } from '../api/generated/core-v1.ts';
import { errorText } from '../base/log.ts';
import type { MessageInit } from '../cri/types.ts';
import { criMount } from './container-config.ts';
import { ContainerStartError } from './container-error.ts';
import type { EnvValue } from './env.ts';
import { expand } from './expansion.ts';
import type { KubeletPaths } from './kubelet-paths.ts';
import { bindSubPath } from './volumes/subpath.ts';
import type { MountedVolume } from './volumes/volume-manager.ts';

export interface ContainerMountsInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly env: ReadonlyMap<string, EnvValue>;
  readonly paths: KubeletPaths;
  /** The host's file to be seen at terminationMessagePath. */
  readonly terminationMessageFile: string;
}

const HOSTS = '/etc/hosts';

/** The subPath a mount asks for; subPathExpr is expanded from the container's environment. */
function subPathOf(mount: VolumeMount, env: ReadonlyMap<string, EnvValue>): string {
  if (mount.subPathExpr === undefined || mount.subPathExpr === '') return mount.subPath ?? '';
  const missing: string[] = [];
  const expanded = expand(mount.subPathExpr, (name) => {
    const value = env.get(name);
    if (value === undefined) missing.push(name);
    return value?.toString();
  });
  if (missing.length > 0) throw new Error(`missing value for "${missing[0]}"`);
  if (expanded.startsWith('/') || expanded.split('/').includes('..')) {
    throw new Error(`subPathExpr ${mount.subPathExpr} leads out of its volume`);
  }
  return expanded;
}

async function volumeMount(
  input: ContainerMountsInput,
  mount: VolumeMount,
  index: number,
): Promise<MessageInit<'Mount'>> {
  const volume = input.volumes.get(mount.name);
  if (volume === undefined)
    throw new Error(`cannot find volume "${mount.name}" to mount into container "${input.container.name}"`);
  const subPath = subPathOf(mount, input.env);
  if (subPath === '') return criMount(mount, volume.hostPath, volume.readOnly);
  const target = input.paths.subPath(input.pod.metadata.uid, mount.name, input.container.name, index);
  await bindSubPath(volume.hostPath, subPath, target, volume.trusted);
  return criMount(mount, target, volume.readOnly);
}

/**
 * The mounts of a container: its volumes, the Pod's /etc/hosts, the file of its termination message. Makes what has to
 * exist on the host. Rejects with ContainerStartError.
 */
export async function containerMounts(input: ContainerMountsInput): Promise<MessageInit<'Mount'>[]> {
  const { container, paths, pod, terminationMessageFile } = input;
  const mounts: MessageInit<'Mount'>[] = [];
  try {
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      mounts.push(await volumeMount(input, mount, index));
    }
  } catch (error) {
    throw new ContainerStartError('CreateContainerConfigError', errorText(error), { cause: error });
  }
  const taken = new Set(mounts.map((mount) => normalize(mount.containerPath ?? '')));
  const hosts = paths.hosts(pod.metadata.uid);
  if (!taken.has(HOSTS) && existsSync(hosts)) mounts.push({ containerPath: HOSTS, hostPath: hosts });
  const messagePath = container.terminationMessagePath ?? '';
  if (messagePath !== '') {
    await mkdir(dirname(terminationMessageFile), { recursive: true, mode: 0o755 });
    await writeFile(terminationMessageFile, '');
    // Whatever user the container runs as may write it; the process's umask must not matter.
    await chmod(terminationMessageFile, 0o666);
    mounts.push({ containerPath: messagePath, hostPath: terminationMessageFile });
  }
  return mounts;
}

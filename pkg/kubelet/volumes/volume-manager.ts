import { chmod, mkdir, rm } from 'node:fs/promises';
import type { Pod, ServiceAccountTokenProjection, Volume } from '../../api/generated/core-v1.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import type { Clock } from '../../base/clock.ts';
import { ExecError, exec } from '../../host/exec.ts';
import { mountsBelow, readMounts } from '../../host/mounts.ts';
import type { PodPlace } from '../field-ref.ts';
import type { KubeletPaths } from '../kubelet-paths.ts';
import type { ReferencedObjects } from '../referenced-objects.ts';
import { writePayload } from './atomic-writer.ts';
import { ensureHostPath } from './host-path.ts';
import { applyGroup } from './ownership.ts';
import { isPayloadVolume, volumePayload } from './payload.ts';
import { type ServiceAccountTokens, tokenKey } from './service-account-tokens.ts';

/** A volume that is in place. */
export interface MountedVolume {
  readonly hostPath: string;
  /** Containers may not write to it whatever their mount says. */
  readonly readOnly: boolean;
  /** Only the kubelet writes there, so that symlinks in it can be trusted. */
  readonly trusted: boolean;
}

export interface MountedVolumes {
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  /** When the Pod's tokens have to be renewed, in milliseconds since the epoch. */
  readonly refreshAt: number | undefined;
}

/** A volume that could not be put in place; its errorText is that of the FailedMount event. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}

/** A further kind of volume: persistent volume claims, say. */
export interface VolumePlugin {
  handles(volume: Volume): boolean;
  /** Puts the volume in place; called again at every sync of the Pod, so it must be cheap when there is nothing to do. */
  setUp(pod: Pod, volume: Volume): Promise<MountedVolume>;
  /** Lets go of everything the Pod held. */
  tearDown(uid: string): Promise<void>;
}

export interface VolumeManagerOptions {
  readonly paths: KubeletPaths;
  readonly clock: Clock;
  readonly references: ReferencedObjects;
  readonly tokens: ServiceAccountTokens;
  readonly plugins: readonly VolumePlugin[];
}

/** Puts Pods' volumes in place, keeps their content current, and removes them: upstream's volume manager. */
export class VolumeManager {
  readonly #options: VolumeManagerOptions;

  constructor(options: VolumeManagerOptions) {
    this.#options = options;
  }

  /** Mounts the memory-backed folder for secrets where it is missing. */
  async start(): Promise<void> {
    const { memory, pods } = this.#options.paths;
    await mkdir(pods, { recursive: true, mode: 0o750 });
    await mountTmpfs(memory, 'mode=0755');
  }

  /**
   * Puts every volume of `pod` in place and its content up to date. May be called at any time and again and again.
   * Rejects with VolumeError.
   */
  async setUp(pod: Pod, place: PodPlace): Promise<MountedVolumes> {
    let refreshAt: number | undefined;
    const tokens = new Map<string, string>();
    const volumes = new Map<string, MountedVolume>();
    await mkdir(this.#options.paths.pod(pod.metadata.uid), { recursive: true, mode: 0o750 });
    for (const volume of pod.spec.volumes ?? []) {
      try {
        for (const source of tokenSources(volume)) {
          const token = await this.#options.tokens.get(pod, source);
          tokens.set(tokenKey(pod, source), token.text);
          refreshAt = Math.min(refreshAt ?? Number.POSITIVE_INFINITY, token.refreshAt);
        }
        volumes.set(volume.name, await this.#setUpOne(pod, volume, place, tokens));
      } catch (error) {
        // With its cause behind a colon this is the text of upstream's event.
        throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" `, { cause: error });
      }
    }
    return { volumes, refreshAt };
  }

  /** Removes all that is left of the Pod on this node: mounts, volumes, its folder. */
  async tearDown(uid: string): Promise<void> {
    const { paths, plugins, tokens } = this.#options;
    tokens.forget(uid);
    await unmountBelow(paths.pod(uid));
    for (const plugin of plugins) await plugin.tearDown(uid);
    await rm(paths.podMemory(uid), { recursive: true, force: true });
    await rm(paths.pod(uid), { recursive: true, force: true });
  }

  async #setUpOne(
    pod: Pod,
    volume: Volume,
    place: PodPlace,
    tokens: ReadonlyMap<string, string>,
  ): Promise<MountedVolume> {
    if (volume.hostPath !== undefined) {
      await ensureHostPath(volume.hostPath);
      return { hostPath: volume.hostPath.path, readOnly: false, trusted: false };
    }
    if (volume.emptyDir !== undefined) return this.#emptyDir(pod, volume);
    if (isPayloadVolume(volume)) return this.#payloadVolume(pod, volume, place, tokens);
    const plugin = this.#options.plugins.find((candidate) => candidate.handles(volume));
    if (plugin === undefined) throw new Error('no volume plugin matched');
    return plugin.setUp(pod, volume);
  }

  async #emptyDir(pod: Pod, volume: Volume): Promise<MountedVolume> {
    const { medium = '', sizeLimit } = volume.emptyDir ?? {};
    const hostPath = this.#options.paths.volume(pod.metadata.uid, 'empty-dir', volume.name);
    const made = await mkdir(hostPath, { recursive: true, mode: 0o750 });
    if (medium === 'Memory') {
      const size = sizeLimit === undefined ? [] : [`size=${parseQuantity(sizeLimit).value()}`];
      await mountTmpfs(hostPath, ['mode=0777', ...size].join());
    } else if (medium !== '') {
      throw new Error(`unknown storage medium ${medium}`);
    }
    if (made !== undefined) {
      await chmod(hostPath, 0o777);
      const group = pod.spec.securityContext?.fsGroup;
      if (group !== undefined) await applyGroup(hostPath, group, 'write');
    }
    return { hostPath, readOnly: false, trusted: false };
  }

  async #payloadVolume(
    pod: Pod,
    volume: Volume,
    place: PodPlace,
    tokens: ReadonlyMap<string, string>,
  ): Promise<MountedVolume> {
    const { paths, references, clock } = this.#options;
    const { uid, namespace = '' } = pod.metadata;
    const token = (source: ServiceAccountTokenProjection): string => tokens.get(tokenKey(pod, source)) ?? '';
    const payload = volumePayload(volume, { pod, data: references.of(namespace), place, token });
    const hostPath =
      volume.configMap !== undefined
        ? paths.volume(uid, 'configmap', volume.name)
        : paths.memoryVolume(uid, pluginName(volume), volume.name);
    await mkdir(hostPath, { recursive: true, mode: 0o755 });
    await writePayload(hostPath, payload, pod.spec.securityContext?.fsGroup, clock.now());
    return { hostPath, readOnly: true, trusted: true };
  }
}

function pluginName(volume: Volume): string {
  if (volume.secret !== undefined) return 'secret';
  return volume.downwardAPI === undefined ? 'projected' : 'downward-api';
}

function tokenSources(volume: Volume): ServiceAccountTokenProjection[] {
  const sources = volume.projected?.sources ?? [];
  return sources.map((source) => source.serviceAccountToken).filter((source) => source !== undefined);
}

/** Mounts a tmpfs at `path` unless there is one; it is kept out of swap where the kernel can do that (6.4 on). */
async function mountTmpfs(path: string, options: string): Promise<void> {
  if ((await readMounts()).some((mount) => mount.mountPoint === path)) return;
  await mkdir(path, { recursive: true });
  try {
    await exec(['mount', '-t', 'tmpfs', '-o', `${options},noswap`, 'tmpfs', path]);
  } catch (error) {
    if (!(error instanceof ExecError) || error.notFound) throw error;
    await exec(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  }
}

/** Unmounts everything below `folder`, so that removing it cannot reach into a volume that lies elsewhere. */
async function unmountBelow(folder: string): Promise<void> {
  for (const mountPoint of mountsBelow(await readMounts(), folder)) await exec(['umount', mountPoint]);
  const left = mountsBelow(await readMounts(), folder);
  if (left.length > 0) throw new Error(`still mounted: ${left.join(', ')}`);
}

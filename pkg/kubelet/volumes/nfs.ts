import { access, mkdir } from 'node:fs/promises';
import type { NFSVolumeSource } from '../../api/generated/core-v1.ts';
import { exec } from '../../host/exec.ts';
import { readMounts } from '../../host/mounts.ts';

/** mount(8) hands NFS over to this program of the package nfs-common. */
const HELPERS = ['/sbin/mount.nfs', '/usr/sbin/mount.nfs'];
const MOUNT_TIMEOUT_MS = 120_000;

/** The arguments of mount(8) for an export. */
export function nfsMountArguments(
  { server, path, readOnly }: NFSVolumeSource,
  target: string,
  mountOptions: readonly string[],
): string[] {
  const options = [...mountOptions, ...(readOnly ? ['ro'] : [])];
  const host = server.includes(':') && !server.startsWith('[') ? `[${server}]` : server;
  return ['-t', 'nfs', ...(options.length > 0 ? ['-o', options.join(',')] : []), `${host}:${path}`, target];
}

async function hasHelper(): Promise<boolean> {
  for (const helper of HELPERS) {
    try {
      await access(helper);
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return false;
}

/** Mounts an export at `target` unless something is mounted there already. */
export async function mountNfs(
  source: NFSVolumeSource,
  target: string,
  mountOptions: readonly string[],
): Promise<void> {
  if ((await readMounts()).some(({ mountPoint }) => mountPoint === target)) return;
  if (!(await hasHelper())) {
    throw new Error('the node cannot mount NFS: install its client on it (Debian and Ubuntu: apt install nfs-common)');
  }
  await mkdir(target, { recursive: true, mode: 0o750 });
  await exec(['mount', ...nfsMountArguments(source, target, mountOptions)], { timeoutMs: MOUNT_TIMEOUT_MS });
}

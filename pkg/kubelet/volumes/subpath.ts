/**
 * subPath mounts. A container may plant symlinks in its volume, so the path is walked folder by folder without
 * following any, and what was found is bind-mounted by file descriptor: nothing can be swapped in between.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exec } from '../../host/exec.ts';
import { readMounts } from '../../host/mounts.ts';

/** Linux's O_PATH, which Node does not name: a handle on the place, without access to the content. */
const O_PATH = 0o10000000;

/** A subPath that leaves its volume or leads nowhere. */
export class SubPathError extends Error {
  override readonly name = 'SubPathError';
}

function placeOf(handle: FileHandle): string {
  return `/proc/${process.pid}/fd/${handle.fd}`;
}

async function openChild(parent: FileHandle, name: string): Promise<FileHandle> {
  const path = join(placeOf(parent), name);
  const flags = O_PATH | constants.O_NOFOLLOW;
  try {
    return await open(path, flags);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    await mkdir(path, { mode: 0o755 });
    return open(path, flags);
  }
}

/**
 * Opens `subPath` below `root`, making missing folders. The links the kubelet itself makes (`..data` of an atomically
 * written volume) are followed when `trusted`: no container can write there. The caller closes the handle.
 */
async function openBelow(root: string, subPath: string, trusted: boolean): Promise<FileHandle> {
  if (subPath.split('/').includes('..')) throw new SubPathError(`subPath ${subPath} leaves its volume`);
  if (trusted) return open(join(root, subPath), O_PATH);
  let handle = await open(root, O_PATH);
  try {
    for (const name of subPath.split('/')) {
      if (name === '' || name === '.') continue;
      const next = await openChild(handle, name);
      await handle.close();
      handle = next;
      if ((await handle.stat()).isSymbolicLink()) throw new SubPathError(`subPath ${subPath} goes through a symlink`);
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Bind-mounts `subPath` of the volume at `root` to `target`, which is made. Does nothing when something is mounted
 * there already. Throws SubPathError, or the file system's error.
 */
export async function bindSubPath(root: string, subPath: string, target: string, trusted: boolean): Promise<void> {
  if ((await readMounts()).some((mount) => mount.mountPoint === target)) return;
  const handle = await openBelow(root, subPath, trusted);
  try {
    if ((await handle.stat()).isDirectory()) {
      await mkdir(target, { recursive: true });
    } else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, '', { flag: 'a' });
    }
    // Without --no-canonicalize mount would look the path up again by name.
    await exec(['mount', '--no-canonicalize', '--bind', placeOf(handle), target]);
  } finally {
    await handle.close();
  }
}

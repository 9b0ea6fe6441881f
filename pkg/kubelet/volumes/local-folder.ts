/** Folders of the class `local-path` on this node: made when they are mounted first, removed when the provisioner asks. */
import { chmod, lstat, mkdir, open, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, normalize } from 'node:path';
import { mountsBelow, readMounts } from '../../host/mounts.ts';

/** A folder that is not to be touched. */
export class LocalFolderError extends Error {
  override readonly name = 'LocalFolderError';
}

/** `pvc-<uid>_<namespace>_<claim>`: nothing that is called otherwise is ever removed. */
const FOLDER_NAME = /^pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_[a-z0-9-]+_[a-z0-9.-]+$/;

function checkName(path: string): void {
  if (isAbsolute(path) && normalize(path) === path && FOLDER_NAME.test(basename(path))) return;
  throw new LocalFolderError(`${path} is not the folder of a local-path volume`);
}

/** What holds of a folder's name after a power cut as well. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the folder where it is missing. Everyone may write in it, for containers of any user; its parent is closed. */
export async function ensureLocalFolder(path: string): Promise<void> {
  checkName(path);
  const parent = dirname(path);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  try {
    await mkdir(path, { mode: 0o777 });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw error;
  }
  // The process's umask must not matter.
  await chmod(path, 0o777);
  await syncFolder(parent);
}

/** Removes the folder and all that is in it; nothing is done when it is gone already. Throws LocalFolderError. */
export async function removeLocalFolder(path: string): Promise<void> {
  checkName(path);
  try {
    const info = await lstat(path);
    if (!info.isDirectory()) throw new LocalFolderError(`${path} is not a folder`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  const mounts = await readMounts();
  const [inside] = mountsBelow(mounts, path);
  if (inside !== undefined) throw new LocalFolderError(`${inside} is mounted in it`);
  await rm(path, { recursive: true, force: true });
  await syncFolder(dirname(path));
}

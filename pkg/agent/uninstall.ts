import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { OperatorError } from '../base/component.ts';
import { CONTAINER_LOG_DIR, POD_LOG_DIR, pathsFor } from '../base/paths.ts';
import { mountsBelow, readMounts } from '../host/mounts.ts';

/** Removes the logs of the Pods that a kedge of `dataDir` has run: they lie beside the logs of other kubelets. */
export async function removePodLogs(dataDir: string): Promise<void> {
  const pods = new Set(await namesIn(join(pathsFor(dataDir).kubelet, 'pods')));
  for (const folder of await namesIn(POD_LOG_DIR)) {
    if (pods.has(folder.slice(folder.lastIndexOf('_') + 1))) {
      await rm(join(POD_LOG_DIR, folder), { recursive: true, force: true });
    }
  }
  for (const name of await namesIn(CONTAINER_LOG_DIR)) {
    const link = join(CONTAINER_LOG_DIR, name);
    const isLink = lstatSync(link).isSymbolicLink();
    if (isLink && readlinkSync(link).startsWith(`${POD_LOG_DIR}/`) && !existsSync(link))
      await rm(link, { force: true });
  }
  for (const folder of [POD_LOG_DIR, CONTAINER_LOG_DIR]) await removeIfEmpty(folder);
}

/** What kedge makes in its data directory. */
const OWN_FOLDERS = ['agent', 'bin', 'native', 'server', 'storage'];

/**
 * Deletes what kedge has in `dataDir`, and the folder itself unless it holds something else, say because it is that of
 * a whole disk. What is mounted below may be somebody's data: then nothing is deleted and OperatorError names the mounts.
 */
export async function removeData(dataDir: string): Promise<void> {
  await refuseMounts(dataDir);
  for (const name of OWN_FOLDERS) await rm(join(dataDir, name), { recursive: true, force: true });
  await removeIfEmpty(dataDir);
}

/** Deletes a folder that is kedge's alone. Throws OperatorError when something is mounted below. */
export async function removeFolder(folder: string): Promise<void> {
  await refuseMounts(folder);
  const isMountPoint = (await readMounts()).some(({ mountPoint }) => mountPoint === folder);
  if (!isMountPoint) await rm(folder, { recursive: true, force: true });
  else for (const name of await namesIn(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

async function refuseMounts(folder: string): Promise<void> {
  const mounts = mountsBelow(await readMounts(), folder);
  if (mounts.length > 0) {
    throw new OperatorError(`${mounts.join(', ')} still mounted: unmount it, then delete ${folder}`);
  }
}

/** What install.sh has put beside `program`, itself included; empty when it was not install.sh that put it there. */
export async function installedPrograms(program: string): Promise<string[]> {
  const folder = dirname(program);
  const names = await namesIn(folder);
  if (basename(program) !== 'kedge' || !names.includes('kedge-killall.sh')) return [];
  const scripts = names.filter((name) => name === 'kedge-killall.sh' || /^kedge(-.+)?-uninstall\.sh$/.test(name));
  const kubectl = join(folder, 'kubectl');
  const isOurs =
    names.includes('kubectl') &&
    lstatSync(kubectl).isSymbolicLink() &&
    resolve(folder, readlinkSync(kubectl)) === program;
  return [...scripts.map((name) => join(folder, name)), ...(isOurs ? [kubectl] : []), program];
}

async function namesIn(folder: string): Promise<string[]> {
  return existsSync(folder) ? await readdir(folder) : [];
}

/** A folder that holds something, or that something is mounted on, stays. */
async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(code)) throw error;
  }
}

/**
 * Volumes whose files change all at once, laid out as upstream's volume/util/atomic_writer: the files stand in a
 * folder `..<time>`, `..data` is a symlink to it, and each name at the top is a symlink through `..data`. A change is
 * a new folder and one rename of `..data`.
 */
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { applyGroup } from './ownership.ts';
import type { Payload } from './payload.ts';

const DATA = '..data';
const DATA_NEXT = '..data_tmp';

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function currentFolder(folder: string): Promise<string | undefined> {
  try {
    return await readlink(join(folder, DATA));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether `folder` holds exactly the bytes of `payload`. */
async function holds(folder: string, payload: Payload): Promise<boolean> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    if (files.length !== payload.size) return false;
    for (const file of files) {
      const wanted = payload.get(file.slice(folder.length + 1));
      if (wanted === undefined || !wanted.data.equals(await readFile(file))) return false;
    }
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function writeFolder(folder: string, payload: Payload, group: number | undefined): Promise<void> {
  for (const [path, file] of payload) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, file.data);
    await chmod(target, file.mode);
    if (file.uid !== undefined) await chown(target, file.uid, -1);
  }
  if (group !== undefined) await applyGroup(folder, group, 'read');
}

/** Makes the symlinks at the top the first parts of the payload's paths, no more and no less. */
async function linkNames(folder: string, payload: Payload): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of await readdir(folder)) {
    if (name.startsWith('..') && !wanted.has(name)) continue;
    if (!wanted.delete(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
  for (const name of wanted) await symlink(join(DATA, name), join(folder, name));
}

/**
 * Makes `payload` the content of the volume at `folder`, which has to exist; `group` gets to read it (fsGroup); `now`
 * is in milliseconds since the epoch. Returns whether anything had to change.
 */
export async function writePayload(
  folder: string,
  payload: Payload,
  group: number | undefined,
  now: number,
): Promise<boolean> {
  const before = await currentFolder(folder);
  if (before !== undefined && (await holds(join(folder, before), payload))) {
    await linkNames(folder, payload);
    return false;
  }
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '_');
  const next = await mkdtemp(join(folder, `..${stamp}.`));
  await chmod(next, 0o755);
  await writeFolder(next, payload, group);
  await rm(join(folder, DATA_NEXT), { force: true });
  await symlink(next.slice(folder.length + 1), join(folder, DATA_NEXT));
  await rename(join(folder, DATA_NEXT), join(folder, DATA));
  await linkNames(folder, payload);
  if (before !== undefined) await rm(join(folder, before), { recursive: true, force: true });
  return true;
}

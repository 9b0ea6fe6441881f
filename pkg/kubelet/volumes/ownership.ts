import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What fsGroup gives the group: `read` for volumes the kubelet fills, `write` for those that containers fill. */
export type GroupAccess = 'read' | 'write';

const FILE_BITS: Readonly<Record<GroupAccess, number>> = { read: 0o440, write: 0o660 };
const DIRECTORY_BITS = 0o110;
/** New files in a folder with this get the folder's group. */
const SETGID = 0o2000;

/** Gives `path` and everything below it to `group` (upstream volume.SetVolumeOwnership); symlinks keep their mode. */
export async function applyGroup(path: string, group: number, access: GroupAccess): Promise<void> {
  const info = await lstat(path);
  await lchown(path, info.uid, group);
  if (info.isSymbolicLink()) return;
  const bits = FILE_BITS[access];
  if (!info.isDirectory()) {
    await chmod(path, (info.mode & 0o7777) | bits);
    return;
  }
  await chmod(path, (info.mode & 0o7777) | bits | DIRECTORY_BITS | SETGID);
  for (const name of await readdir(path)) await applyGroup(join(path, name), group, access);
}

/** Whether the folder itself is as `applyGroup` would make it, from which fsGroupChangePolicy OnRootMismatch concludes. */
export async function hasGroup(path: string, group: number, access: GroupAccess): Promise<boolean> {
  const { gid, mode } = await lstat(path);
  const wanted = FILE_BITS[access] | DIRECTORY_BITS | SETGID;
  return gid === group && (mode & wanted) === wanted;
}

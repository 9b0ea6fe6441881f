import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface AtomicWriteOptions {
  /** Permission bits of the file, whatever the process's umask is. */
  readonly mode: number;
  /** Wait until the bytes and the name are on disk; only worth its cost for what cannot be made again. */
  readonly durable?: boolean;
}

/**
 * Writes `data` to `path` so that a reader sees the old or the new content and never a part of it. The directory has to
 * exist. Throws the file system's error, leaving nothing behind.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicWriteOptions,
): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', options.mode);
    try {
      await file.chmod(options.mode);
      await file.writeFile(data);
      if (options.durable === true) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (options.durable === true) await syncDirectory(directory);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

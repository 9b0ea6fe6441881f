import type { Stats } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import type { HostPathVolumeSource } from '../../api/generated/core-v1.ts';

/** A host path that is not what the volume says it is. */
export class HostPathError extends Error {
  override readonly name = 'HostPathError';
}

interface TypeCheck {
  readonly test: (info: Stats) => boolean;
  readonly noun: string;
}

const DIRECTORY: TypeCheck = { test: (info) => info.isDirectory(), noun: 'a directory' };
const FILE: TypeCheck = { test: (info) => info.isFile(), noun: 'a file' };
const CHECKS: Readonly<Record<string, TypeCheck>> = {
  DirectoryOrCreate: DIRECTORY,
  Directory: DIRECTORY,
  FileOrCreate: FILE,
  File: FILE,
  Socket: { test: (info) => info.isSocket(), noun: 'a socket file' },
  CharDevice: { test: (info) => info.isCharacterDevice(), noun: 'a character device' },
  BlockDevice: { test: (info) => info.isBlockDevice(), noun: 'a block device' },
};

async function statOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Checks, and for the `…OrCreate` types makes, what the volume points at. Throws HostPathError. */
export async function ensureHostPath({ path, type = '' }: HostPathVolumeSource): Promise<void> {
  const check = CHECKS[type];
  if (check === undefined) {
    if (type === '') return;
    throw new HostPathError(`${type} is an invalid volume type`);
  }
  const info = await statOrUndefined(path);
  if (info === undefined && type === 'DirectoryOrCreate') {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } else if (info === undefined && type === 'FileOrCreate') {
    await (await open(path, 'a', 0o644)).close();
  } else if (info === undefined || !check.test(info)) {
    throw new HostPathError(`hostPath type check failed: ${path} is not ${check.noun}`);
  }
}

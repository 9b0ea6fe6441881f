import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { getRawAsset } from 'node:sea';
import { workerData } from 'node:worker_threads';
import type { WorkerInput } from './protocol.ts';

/** Name of libSQL's native addon (`index.node` of `@libsql/linux-<cpu>-gnu`) among the executable's assets. */
export const NATIVE_ASSET = 'libsql.node';

/**
 * Stands in for `@neon-rs/load` in the single executable, where the build aliases that package to this file and sets
 * `process.env.LIBSQL_JS_DEV` so that libSQL calls `load`. Unpacks the addon to the directory given to the worker,
 * once per version, and opens it; throws when that is not possible.
 */
export function load(): unknown {
  const { nativeDir } = workerData as WorkerInput;
  const module = { exports: {} };
  process.dlopen(module, unpack(nativeDir, new Uint8Array(getRawAsset(NATIVE_ASSET))), constants.dlopen.RTLD_NOW);
  return module.exports;
}

/** Not used by libSQL in the single executable, but imported by it. */
export function currentTarget(): string {
  return `${process.platform}-${process.arch}`;
}

/** Writes the addon under a name made of its content, and removes those of other versions. Returns its path. */
function unpack(dir: string, addon: Uint8Array): string {
  const name = `libsql-${createHash('sha256').update(addon).digest('hex').slice(0, 16)}.node`;
  const path = join(dir, name);
  // A power cut may have left a file without its content.
  if (statSync(path, { throwIfNoEntry: false })?.size !== addon.byteLength) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, addon, { mode: 0o700 });
    chmodSync(temporary, 0o700);
    renameSync(temporary, path);
  }
  for (const other of readdirSync(dir)) {
    if (other !== name && /^libsql-[0-9a-f]{16}\.node$/.test(other)) rmSync(join(dir, other), { force: true });
  }
  return path;
}

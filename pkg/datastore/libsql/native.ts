import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { getRawAsset } from 'node:sea';
import { workerData } from 'node:worker_threads';
import type { WorkerInput } from './protocol.ts';

/** Name of libSQL's native addon (`index.node` of `@libsql/linux-<cpu>-gnu`) among the executable's assets. */
export const NATIVE_ASSET = 'libsql.node';

const SAMPLE_BYTES = 64 * 1024;

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

/**
 * What tells builds of the addon apart: its size, its start (with the linker's build id) and its end. Reading all of it
 * would take 10 ms and 10 MB of resident memory at each start.
 */
function identify(addon: Uint8Array): string {
  const hash = createHash('sha256').update(String(addon.byteLength));
  hash.update(addon.subarray(0, SAMPLE_BYTES)).update(addon.subarray(-SAMPLE_BYTES));
  return hash.digest('hex').slice(0, 16);
}

/** Writes the addon under a name made of its content, and removes those of other versions. Returns its path. */
function unpack(dir: string, addon: Uint8Array): string {
  const name = `libsql-${identify(addon)}.node`;
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

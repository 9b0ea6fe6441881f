import { getAsset, isSea } from 'node:sea';
import { Worker } from 'node:worker_threads';
import type { WorkerInput } from './protocol.ts';

/**
 * Name among the executable's assets of `worker.ts` bundled as CommonJS, with `@neon-rs/load` aliased to `native.ts`
 * and `process.env.LIBSQL_JS_DEV` defined as `"1"`. The addon itself is the asset NATIVE_ASSET of `native.ts`.
 */
export const WORKER_ASSET = 'datastore-worker.cjs';

/** Heap for short-lived objects, MiB: the worker's garbage is small, and a larger one is never given back. */
const YOUNG_GENERATION_MIB = 4;

/** Starts the datastore's worker thread, from source or from the single executable. */
export function startWorker(input: WorkerInput): Worker {
  const options = {
    name: 'datastore',
    workerData: input,
    // The main thread's own flags (--import, --input-type ...) are not meant for the worker.
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
  };
  if (isSea()) return new Worker(getAsset(WORKER_ASSET, 'utf8'), { ...options, eval: true });
  return new Worker(new URL('./worker.ts', import.meta.url), options);
}

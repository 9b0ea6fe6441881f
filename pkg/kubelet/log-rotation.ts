import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Clock, sleep } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { RuntimeService } from '../cri/services.ts';
import { logFiles } from './container-logs.ts';
import type { RuntimeState } from './runtime-state.ts';

export interface LogRotationOptions {
  readonly runtime: Pick<RuntimeService, 'reopenContainerLog'>;
  readonly state: RuntimeState;
  readonly clock: Clock;
  readonly log: Logger;
  /** A log larger than this is rotated; 10 MiB unless given. */
  readonly maxBytes?: number;
  /** Files kept of a container instance, the present one included; 5 unless given. */
  readonly maxFiles?: number;
}

const CHECK_MS = 10_000;
const MAX_BYTES = 10 * 1024 * 1024;
const MAX_FILES = 5;

/** Keeps the logs of running containers within bounds until `signal` aborts: upstream's container log manager. */
export async function rotateLogs(options: LogRotationOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, state } = options;
  while (!signal.aborted) {
    await sleep(clock, CHECK_MS, signal);
    for (const uid of state.uids()) {
      for (const container of state.get(uid)?.containers ?? []) {
        if (container.state !== 'running' || container.logPath === '' || signal.aborted) continue;
        try {
          await rotateLog(options, container.id, container.logPath);
        } catch (error) {
          log.warn('container log not rotated', { path: container.logPath, error: errorText(error) });
        }
      }
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

/** Rotates one log when it is too large: `0.log` becomes `0.log.<time>`, older ones are compressed, the oldest go. */
async function rotateLog(options: LogRotationOptions, containerId: string, path: string): Promise<void> {
  const { maxBytes = MAX_BYTES, maxFiles = MAX_FILES, clock, runtime } = options;
  if ((await sizeOf(path)) < maxBytes) return;
  const rotated = (await logFiles(path)).slice(0, -1);
  const kept = rotated.slice(Math.max(0, rotated.length - (maxFiles - 2)));
  for (const old of rotated) if (!kept.includes(old)) await rm(old, { force: true });
  for (const old of kept) if (!old.endsWith('.gz')) await compress(old);
  const stamp = new Date(clock.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const target = `${path}.${stamp}`;
  await rename(path, target);
  try {
    await runtime.reopenContainerLog({ containerId });
  } catch (error) {
    // The runtime still writes to the old file: it gets its name back.
    await rename(target, path);
    throw error;
  }
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary));
  await rename(temporary, `${path}.gz`);
  await rm(path);
}

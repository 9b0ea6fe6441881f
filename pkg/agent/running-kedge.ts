import { readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Clock, holdProcess, sleep } from '../base/clock.ts';
import { DEFAULT_DATA_DIR } from '../base/paths.ts';
import { listProcesses, readArguments, readEnvironment, sendSignal } from '../host/processes.ts';

/** A kedge that runs on this machine. */
export interface RunningKedge {
  readonly pid: number;
  readonly dataDir: string;
}

const STOP_TIMEOUT = 30_000;
const STOP_INTERVAL = 50;

/**
 * The data directory that a process with these arguments works in when it is `kedge server` or `kedge agent`;
 * undefined for every other process. A directory named in a config file only is not seen.
 */
export function kedgeDataDir(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): string | undefined {
  // From source it is Node.js that runs, with cmd/kedge/main.ts as its argument.
  const isExecutable = /^kedge(-linux-\w+)?$/.test(basename(args[0] ?? ''));
  const program = isExecutable ? 0 : args.findIndex((arg) => arg.endsWith('cmd/kedge/main.ts'));
  const command = args[program + 1];
  if (program < 0 || (command !== 'server' && command !== 'agent')) return undefined;
  const flags = args.slice(program + 2);
  let given: string | undefined;
  for (const [index, flag] of flags.entries()) {
    if (flag === '--data-dir' || flag === '-d') given = flags[index + 1];
    else if (flag.startsWith('--data-dir=')) given = flag.slice('--data-dir='.length);
  }
  return given ?? environment['KEDGE_DATA_DIR'] ?? DEFAULT_DATA_DIR;
}

/** Every kedge of this machine: those in other containers, which have mounts of their own, are of other machines. */
export async function findRunningKedges(): Promise<RunningKedge[]> {
  const ours = await mountNamespace('self');
  const found: RunningKedge[] = [];
  for (const { pid, state } of await listProcesses()) {
    if (state === 'Z' || pid === process.pid) continue;
    const dataDir = kedgeDataDir(await readArguments(pid), await readEnvironment(pid));
    if (dataDir !== undefined && (await mountNamespace(pid)) === ours) found.push({ pid, dataDir });
  }
  return found;
}

/** Asks the kedges of `dataDir` to end, and kills those that do not. Their Pods run on. */
export function endRunningKedges(dataDir: string, clock: Clock): Promise<void> {
  return holdProcess(() => endKedges(dataDir, clock));
}

async function endKedges(dataDir: string, clock: Clock): Promise<void> {
  const limit = clock.now() + STOP_TIMEOUT;
  let isAsked = false;
  for (;;) {
    const running = (await findRunningKedges()).filter((kedge) => kedge.dataDir === dataDir);
    if (running.length === 0) return;
    const signal = clock.now() > limit ? 'SIGKILL' : 'SIGTERM';
    if (!isAsked || signal === 'SIGKILL') for (const { pid } of running) sendSignal(pid, signal);
    isAsked = true;
    await sleep(clock, STOP_INTERVAL, new AbortController().signal);
  }
}

async function mountNamespace(pid: number | 'self'): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/ns/mnt`);
  } catch (error) {
    // It has ended meanwhile, or is none of ours to look at.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH', 'EACCES'].includes(String(error.code)))
      return undefined;
    throw error;
  }
}

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

/** The data directory that a config file names, the default file unless one is given; undefined when none is named. */
export type ConfigLookup = (configFile: string | undefined) => string | undefined;

/**
 * The data directory that a process with these arguments works in when it is `kedge server` or `kedge agent`;
 * undefined for every other process.
 */
export function kedgeDataDir(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  lookup: ConfigLookup,
): string | undefined {
  // From source it is Node.js that runs, with cmd/kedge/main.ts as its argument.
  const isExecutable = /^kedge(-linux-\w+)?$/.test(basename(args[0] ?? ''));
  const program = isExecutable ? 0 : args.findIndex((arg) => arg.endsWith('cmd/kedge/main.ts'));
  const command = args[program + 1];
  if (program < 0 || (command !== 'server' && command !== 'agent')) return undefined;
  const flags = args.slice(program + 2);
  return (
    flagValue(flags, '--data-dir', '-d') ??
    environment['KEDGE_DATA_DIR'] ??
    lookup(flagValue(flags, '--config', '-c') ?? environment['KEDGE_CONFIG_FILE']) ??
    DEFAULT_DATA_DIR
  );
}

function flagValue(args: readonly string[], long: string, short: string): string | undefined {
  let given: string | undefined;
  for (const [index, arg] of args.entries()) {
    if (arg === long || arg === short) given = args[index + 1];
    else if (arg.startsWith(`${long}=`)) given = arg.slice(long.length + 1);
  }
  return given;
}

/** Every kedge of this machine: those in other containers, which have mounts of their own, are of other machines. */
export async function findRunningKedges(lookup: ConfigLookup): Promise<RunningKedge[]> {
  const ours = await mountNamespace('self');
  const found: RunningKedge[] = [];
  for (const { pid, state } of await listProcesses()) {
    if (state === 'Z' || pid === process.pid) continue;
    const dataDir = kedgeDataDir(await readArguments(pid), await readEnvironment(pid), lookup);
    if (dataDir !== undefined && (await mountNamespace(pid)) === ours) found.push({ pid, dataDir });
  }
  return found;
}

/** Asks the kedges of `dataDir` to end, and kills those that do not. Their Pods run on. */
export function endRunningKedges(dataDir: string, lookup: ConfigLookup, clock: Clock): Promise<void> {
  return holdProcess(() => endKedges(dataDir, lookup, clock));
}

async function endKedges(dataDir: string, lookup: ConfigLookup, clock: Clock): Promise<void> {
  const limit = clock.now() + STOP_TIMEOUT;
  let isAsked = false;
  for (;;) {
    const running = (await findRunningKedges(lookup)).filter((kedge) => kedge.dataDir === dataDir);
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

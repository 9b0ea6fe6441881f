/** Programs that kedge starts and that outlive it: containerd, etcd. The next kedge finds them again. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { isOfThisMachine, listProcesses, readArguments, readProcess, sendSignal } from './processes.ts';

/** A running process of ours. */
export interface DetachedProcess {
  readonly pid: number;
  /** Distinguishes the process from a later one with the same pid. */
  readonly startTime: number;
  /** What it was started with, as the starter put it; empty when that is not known. */
  readonly mark: string;
}

export interface DetachedProgram {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its output is appended to this file. */
  readonly log: string;
  /** Where it is noted which process it is. */
  readonly record: string;
  readonly mark: string;
}

const STOP_INTERVAL = 20;

/**
 * Starts a program in a session of its own and records it. `onExit` is called when it ends while this process is alive.
 */
export async function spawnDetached(
  program: DetachedProgram,
  onExit: (reason: string) => void,
): Promise<DetachedProcess> {
  const log = openSync(program.log, 'a', 0o600);
  try {
    const child = spawn(program.path, program.args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: program.env,
    });
    child.once('exit', (code, signal) => onExit(signal === null ? `exit code ${code}` : `signal ${signal}`));
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid ?? 0));
    });
    child.unref();
    const started = { pid, startTime: (await readProcess(pid))?.startTime ?? 0, mark: program.mark };
    await writeFileAtomic(program.record, JSON.stringify(started), { mode: 0o600 });
    return started;
  } finally {
    closeSync(log);
  }
}

/** The process of `record`, or one of this machine whose arguments are ours; undefined when there is none. */
export async function findDetached(
  record: string,
  isOurs: (args: readonly string[]) => boolean,
): Promise<DetachedProcess | undefined> {
  const recorded = await readRecord(record);
  if (recorded !== undefined && (await isRunning(recorded))) return recorded;
  // The record may be lost; the process is still known by its arguments.
  for (const { pid, startTime, state } of await listProcesses()) {
    if (state === 'Z' || !isOurs(await readArguments(pid))) continue;
    if (await isOfThisMachine(pid)) return { pid, startTime, mark: '' };
  }
  return undefined;
}

/** Whether the process is there still. */
export async function isRunning(found: DetachedProcess): Promise<boolean> {
  const info = await readProcess(found.pid);
  return info?.startTime === found.startTime && info.state !== 'Z';
}

/** Ends the process, with SIGKILL when it takes longer than `timeoutMs`. Resolves when it is gone. */
export async function stopDetached(
  name: string,
  found: DetachedProcess,
  clock: Clock,
  timeoutMs: number,
): Promise<void> {
  const signal = new AbortController().signal;
  for (const kind of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isRunning(found))) return;
    sendSignal(found.pid, kind);
    const limit = clock.now() + timeoutMs;
    while (clock.now() < limit) {
      if (!(await isRunning(found))) return;
      await sleep(clock, STOP_INTERVAL, signal);
    }
  }
  throw new Error(`${name} (pid ${found.pid}) does not end, not even by SIGKILL`);
}

/** Bytes in the file; 0 when there is none. */
export async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

async function readRecord(path: string): Promise<DetachedProcess | undefined> {
  try {
    const { pid, startTime, mark } = (JSON.parse(await readFile(path, 'utf8')) ?? {}) as Record<string, unknown>;
    const isWhole = typeof pid === 'number' && typeof startTime === 'number' && typeof mark === 'string';
    return isWhole ? { pid, startTime, mark } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) {
      await rm(path, { force: true });
      return undefined;
    }
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

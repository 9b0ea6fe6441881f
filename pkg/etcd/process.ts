import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { listProcesses, readArguments, readProcess, sendSignal } from '../host/processes.ts';
import { type EtcdConfig, type EtcdLayout, etcdConfigFile } from './layout.ts';

/** A running etcd of ours. */
export interface EtcdProcess {
  readonly pid: number;
  /** With the pid it names the process for good. */
  readonly startTime: number;
}

const STOP_TIMEOUT_MS = 8_000;
const STOP_INTERVAL_MS = 20;
const LONGEST_LOG = 8 * 1024 * 1024;

/** The etcd that runs with this layout's configuration, whoever started it; undefined when there is none. */
export async function findEtcdProcess(layout: EtcdLayout): Promise<EtcdProcess | undefined> {
  const recorded = await readRecord(layout);
  if (recorded !== undefined && (await isRunning(recorded))) return recorded;
  for (const { pid, startTime, state } of await listProcesses()) {
    if (state === 'Z') continue;
    const args = await readArguments(pid);
    if (args[1] === '--config-file' && args[2] === layout.config) return { pid, startTime };
  }
  return undefined;
}

/**
 * Starts etcd in a session of its own: a kedge that is killed does not take its share of the quorum along, and the next
 * one finds it again. `onExit` is called when it ends while this process is alive.
 */
export async function spawnEtcd(
  program: string,
  config: EtcdConfig,
  onExit: (reason: string) => void,
): Promise<EtcdProcess> {
  const { layout } = config;
  await writeFileAtomic(layout.config, etcdConfigFile(config), { mode: 0o600 });
  if ((await fileSize(layout.log)) > LONGEST_LOG) await rename(layout.log, `${layout.log}.1`);
  const log = openSync(layout.log, 'a', 0o600);
  try {
    const child = spawn(program, ['--config-file', layout.config], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { PATH: process.env['PATH'] },
    });
    child.once('exit', (code, signal) => onExit(signal === null ? `exit code ${code}` : `signal ${signal}`));
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid ?? 0));
    });
    child.unref();
    const started = { pid, startTime: (await readProcess(pid))?.startTime ?? 0 };
    await writeFile(`${layout.record}.new`, JSON.stringify(started), { mode: 0o600 });
    await rename(`${layout.record}.new`, layout.record);
    return started;
  } finally {
    closeSync(log);
  }
}

/** Whether the process is there still. */
export async function isRunning(found: EtcdProcess): Promise<boolean> {
  const info = await readProcess(found.pid);
  return info?.startTime === found.startTime && info.state !== 'Z';
}

/** Ends an etcd, which hands its leadership over first. Resolves when it is gone. */
export async function stopEtcd(found: EtcdProcess, clock: Clock): Promise<void> {
  const signal = new AbortController().signal;
  for (const kind of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isRunning(found))) return;
    sendSignal(found.pid, kind);
    const limit = clock.now() + STOP_TIMEOUT_MS;
    while (clock.now() < limit) {
      if (!(await isRunning(found))) return;
      await sleep(clock, STOP_INTERVAL_MS, signal);
    }
  }
  throw new Error(`etcd (pid ${found.pid}) does not end, not even by SIGKILL`);
}

/** The last lines of etcd's log from `offset` on, for a message to the operator. */
export async function lastLogLines(layout: EtcdLayout, offset: number): Promise<string> {
  if ((await fileSize(layout.log)) === 0) return '';
  const text = (await readFile(layout.log)).subarray(offset).toString('utf8');
  const lines = text.split('\n').filter((line) => /"level":"(error|fatal|panic)"/.test(line));
  return lines.slice(-2).join(' | ');
}

/** Bytes of the file; 0 when there is none. */
export async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

async function readRecord(layout: EtcdLayout): Promise<EtcdProcess | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(layout.record, 'utf8'));
    const { pid, startTime } = (value ?? {}) as Record<string, unknown>;
    return typeof pid === 'number' && typeof startTime === 'number' ? { pid, startTime } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) {
      await rm(layout.record, { force: true });
      return undefined;
    }
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { type Clock, sleep } from '../base/clock.ts';
import { isOfThisMachine, listProcesses, readArguments, readProcess, sendSignal } from '../host/processes.ts';
import type { ContainerdLayout } from './containerd-layout.ts';
import type { RuntimeHost } from './runtime-host.ts';

/** A running containerd of ours. */
export interface ContainerdProcess {
  readonly pid: number;
  /** Distinguishes the process from a later one with the same pid. */
  readonly startTime: number;
  /** Hash of the configuration it was started with; empty when that is not known. */
  readonly configHash: string;
}

/** Environment variables containerd may see; those of a systemd service are kedge's own business. */
const PASSED_ENV = /^(HOME|TMPDIR|SSL_CERT_FILE|SSL_CERT_DIR|https?_proxy|no_proxy|all_proxy)$/i;
const STOP_TIMEOUT = 5000;
const STOP_INTERVAL = 20;
const LONGEST_LOG = 8 * 1024 * 1024;

/** The containerd running with this layout's configuration file, whoever started it; undefined when there is none. */
export async function findContainerd(layout: ContainerdLayout): Promise<ContainerdProcess | undefined> {
  const recorded = await readRecord(layout);
  if (recorded !== undefined && (await isRunning(recorded))) return recorded;
  // The record is lost with the run directory; the process is still known by its arguments.
  for (const { pid, startTime, state } of await listProcesses()) {
    if (state === 'Z') continue;
    const args = await readArguments(pid);
    const isOurs = args[1] === '--config' && args[2] === layout.config && (await isOfThisMachine(pid));
    if (isOurs) return { pid, startTime, configHash: '' };
  }
  return undefined;
}

/**
 * Starts containerd in a session of its own, so that it outlives kedge, and records it. Its log is appended to
 * `layout.log`. `onExit` is called when it ends while this process is alive.
 */
export async function spawnContainerd(
  layout: ContainerdLayout,
  host: RuntimeHost,
  configHash: string,
  onExit: (reason: string) => void,
): Promise<ContainerdProcess> {
  await rotateLog(layout.log);
  const env: NodeJS.ProcessEnv = { PATH: host.searchPath };
  for (const [name, value] of Object.entries(process.env)) if (PASSED_ENV.test(name)) env[name] = value;
  const log = openSync(layout.log, 'a', 0o600);
  try {
    const child = spawn(host.containerd, ['--config', layout.config], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env,
    });
    child.once('exit', (code, signal) => onExit(signal === null ? `exit code ${code}` : `signal ${signal}`));
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid ?? 0));
    });
    child.unref();
    const started = { pid, startTime: (await readProcess(pid))?.startTime ?? 0, configHash };
    await writeFile(`${layout.record}.new`, JSON.stringify(started), { mode: 0o600 });
    await rename(`${layout.record}.new`, layout.record);
    return started;
  } finally {
    closeSync(log);
  }
}

/** Whether the process is there still. */
export async function isRunning(found: ContainerdProcess): Promise<boolean> {
  const info = await readProcess(found.pid);
  return info?.startTime === found.startTime && info.state !== 'Z';
}

/** Ends a containerd; its shims and their containers go on. Resolves when it is gone. */
export async function stopContainerd(found: ContainerdProcess, clock: Clock): Promise<void> {
  const signal = AbortSignal.timeout(4 * STOP_TIMEOUT);
  for (const kind of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isRunning(found))) return;
    sendSignal(found.pid, kind);
    const limit = clock.now() + STOP_TIMEOUT;
    while (clock.now() < limit && !signal.aborted) {
      if (!(await isRunning(found))) return;
      await sleep(clock, STOP_INTERVAL, signal);
    }
  }
  throw new Error(`containerd (pid ${found.pid}) does not end, not even by SIGKILL`);
}

/** Keeps the log bounded: containerd holds it open for appending, so it is copied and cut, not renamed. */
export async function rotateLog(path: string): Promise<void> {
  const size = await fileSize(path);
  if (size <= LONGEST_LOG) return;
  const text = await readFile(path);
  await writeFile(`${path}.1`, text.subarray(-LONGEST_LOG), { mode: 0o600 });
  await writeFile(path, '');
}

/** The last error lines of containerd's log, for a message to the operator. */
export async function lastLogLines(path: string, from: number): Promise<string> {
  const text = (await fileSize(path)) === 0 ? '' : (await readFile(path)).subarray(from).toString('utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.includes('level=warning'));
  return lines.slice(-2).join(' | ');
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

async function readRecord(layout: ContainerdLayout): Promise<ContainerdProcess | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(layout.record, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, startTime, configHash } = value as Record<string, unknown>;
    if (typeof pid !== 'number' || typeof startTime !== 'number' || typeof configHash !== 'string') return undefined;
    return { pid, startTime, configHash };
  } catch (error) {
    if (error instanceof SyntaxError) {
      await rm(layout.record, { force: true });
      return undefined;
    }
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

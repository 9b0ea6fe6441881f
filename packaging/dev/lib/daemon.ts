import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { OperatorError } from '../../../pkg/base/component.ts';
import { RUN_DIR } from '../../../pkg/base/paths.ts';
import { sendSignal } from '../../../pkg/host/processes.ts';

/** The kedge that `npm run up` started: its log and how it is found again. */

export const LOG_FILE = '/var/log/kedge.log';
const PID_FILE = join(RUN_DIR, 'kedge.pid');
const STOP_TIMEOUT = 30_000;

/** Its process, when it still runs. */
export interface Daemon {
  readonly pid: number;
  /** Whether its executable has been replaced since it was started. */
  readonly isOutdated: boolean;
}

/** Starts `executable` as `kedge server` of its own; it goes on when this process ends. Returns its pid. */
export function startDaemon(executable: string, flags: readonly string[] = []): number {
  mkdirSync(RUN_DIR, { recursive: true });
  const log = openSync(LOG_FILE, 'a', 0o640);
  // npm's own variables are of no concern to a server.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const child = spawn(executable, ['server', ...flags], { cwd: '/', env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  if (child.pid === undefined) throw new OperatorError(`${executable} cannot be started: run \`npm run build\``);
  child.unref();
  writeFileSync(PID_FILE, `${child.pid}\n`);
  return child.pid;
}

/** Finds the kedge that was started; undefined when there is none (any more). */
export function findDaemon(executable: string): Daemon | undefined {
  let pid: number;
  try {
    pid = Number(readFileSync(PID_FILE, 'utf8'));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const running = runningProgram(pid);
  if (running?.replace(/ \(deleted\)$/, '') !== executable) return undefined;
  return { pid, isOutdated: running !== executable || !isSameFile(`/proc/${pid}/exe`, executable) };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}

/** The path of the program that `pid` runs. */
function runningProgram(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isSameFile(a: string, b: string): boolean {
  const [left, right] = [statSync(a), statSync(b, { throwIfNoEntry: false })];
  return left.ino === right?.ino && left.dev === right.dev;
}

/** Asks it to end and waits for that; kills it when it takes too long. */
export async function stopDaemon(daemon: Daemon): Promise<void> {
  const limit = Date.now() + STOP_TIMEOUT;
  sendSignal(daemon.pid, 'SIGTERM');
  while (runningProgram(daemon.pid) !== undefined) {
    if (Date.now() > limit) sendSignal(daemon.pid, 'SIGKILL');
    await delay(50);
  }
  rmSync(PID_FILE, { force: true });
}

/** What it logged from `offset` (bytes) on. */
export function logSince(offset: number): string {
  return readFileSync(LOG_FILE).subarray(offset).toString('utf8');
}

/** How long the log is by now, in bytes. */
export function logLength(): number {
  return statSync(LOG_FILE, { throwIfNoEntry: false })?.size ?? 0;
}

import { readFile, writeFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { type DetachedProcess, fileSize, findDetached, spawnDetached, stopDetached } from '../host/detached-process.ts';
import type { ContainerdLayout } from './containerd-layout.ts';
import type { RuntimeHost } from './runtime-host.ts';

/** Environment variables containerd may see; those of a systemd service are kedge's own business. */
const PASSED_ENV = /^(HOME|TMPDIR|SSL_CERT_FILE|SSL_CERT_DIR|https?_proxy|no_proxy|all_proxy)$/i;
const STOP_TIMEOUT = 5000;
const LONGEST_LOG = 8 * 1024 * 1024;

/** The containerd running with this layout's configuration file, whoever started it; undefined when there is none. */
export function findContainerd(layout: ContainerdLayout): Promise<DetachedProcess | undefined> {
  return findDetached(layout.record, (args) => args[1] === '--config' && args[2] === layout.config);
}

/**
 * Starts containerd in a session of its own, so that it outlives kedge, marked with the hash of its configuration. Its
 * log is appended to `layout.log`. `onExit` is called when it ends while this process is alive.
 */
export async function spawnContainerd(
  layout: ContainerdLayout,
  host: RuntimeHost,
  configHash: string,
  onExit: (reason: string) => void,
): Promise<DetachedProcess> {
  await rotateLog(layout.log);
  const env: NodeJS.ProcessEnv = { PATH: host.searchPath };
  for (const [name, value] of Object.entries(process.env)) if (PASSED_ENV.test(name)) env[name] = value;
  const { log, record, config } = layout;
  const program = { path: host.containerd, args: ['--config', config], env, log, record, mark: configHash };
  return await spawnDetached(program, onExit);
}

/** Ends a containerd; its shims and their containers go on. Resolves when it is gone. */
export function stopContainerd(found: DetachedProcess, clock: Clock): Promise<void> {
  return stopDetached('containerd', found, clock, STOP_TIMEOUT);
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

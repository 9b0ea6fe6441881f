import { readFile, rename } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { type DetachedProcess, fileSize, findDetached, spawnDetached, stopDetached } from '../host/detached-process.ts';
import { type EtcdConfig, type EtcdLayout, etcdConfigFile } from './layout.ts';

const STOP_TIMEOUT_MS = 8_000;
const LONGEST_LOG = 8 * 1024 * 1024;

/** The etcd that runs with this layout's configuration, whoever started it; undefined when there is none. */
export function findEtcdProcess(layout: EtcdLayout): Promise<DetachedProcess | undefined> {
  return findDetached(layout.record, (args) => args[1] === '--config-file' && args[2] === layout.config);
}

/**
 * Starts etcd in a session of its own: a kedge that is killed does not take its share of the quorum along, and the next
 * one finds it again. `onExit` is called when it ends while this process is alive.
 */
export async function spawnEtcd(
  path: string,
  config: EtcdConfig,
  onExit: (reason: string) => void,
): Promise<DetachedProcess> {
  const { layout } = config;
  await writeFileAtomic(layout.config, etcdConfigFile(config), { mode: 0o600 });
  if ((await fileSize(layout.log)) > LONGEST_LOG) await rename(layout.log, `${layout.log}.1`);
  const args = ['--config-file', layout.config];
  const env = { PATH: process.env['PATH'] };
  return await spawnDetached({ path, args, env, log: layout.log, record: layout.record, mark: '' }, onExit);
}

/** Ends an etcd, which hands its leadership over first. Resolves when it is gone. */
export function stopEtcd(found: DetachedProcess, clock: Clock): Promise<void> {
  return stopDetached('etcd', found, clock, STOP_TIMEOUT_MS);
}

/** etcd's log from the byte `offset` on. */
export async function readLog(layout: EtcdLayout, offset: number): Promise<string> {
  if ((await fileSize(layout.log)) === 0) return '';
  return (await readFile(layout.log)).subarray(offset).toString('utf8');
}

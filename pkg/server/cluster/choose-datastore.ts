import { rm, stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { OperatorError } from '../../base/component.ts';
import type { Logger } from '../../base/log.ts';
import type { Paths } from '../../base/paths.ts';
import { checkCritical, writeSharedFiles } from '../../bootstrap/server-bootstrap.ts';
import { inspectDatabaseFile } from '../../datastore/libsql/database-file.ts';
import { etcdLayout } from '../../etcd/layout.ts';
import { findEtcdData, type MemberStart } from '../../etcd/member.ts';
import { findEtcdProcess, stopEtcd } from '../../etcd/process.ts';
import type { ServerConfig } from '../config.ts';
import { checkRestored } from '../snapshot/restore.ts';
import { criticalSettings } from './critical-settings.ts';
import { fetchBootstrap } from './fetch-bootstrap.ts';

/** Where this server's data is, or is to be. `migrate`: what is in libSQL moves into etcd first. */
export type DatastoreChoice =
  | { readonly kind: 'libsql' }
  | { readonly kind: 'etcd'; readonly start: MemberStart; readonly migrate: boolean };

/** What is on disk. */
export interface Found {
  readonly libsql: boolean;
  /** `lost`: this server was a member of a cluster, and its data is gone. */
  readonly etcd: 'none' | 'present' | 'lost';
}

/**
 * The decision over what is on disk and what was asked for. libSQL's file beside etcd's data is a move that was broken
 * off: the file is the truth until the move is done, and is renamed then.
 */
export function chooseDatastore(
  found: Found,
  { init, server }: Pick<ServerConfig['cluster'], 'init' | 'server'>,
): 'libsql' | 'existing' | 'new' | 'migrate' | 'join' | 'refuse' | 'lost' {
  if (found.libsql) {
    if (server !== undefined && !init) return 'refuse';
    return init ? 'migrate' : 'libsql';
  }
  if (found.etcd === 'present') return 'existing';
  // With the others there, an empty cluster of its own is the last thing wanted.
  if (found.etcd === 'lost') return server === undefined ? 'lost' : 'join';
  if (init) return 'new';
  return server === undefined ? 'libsql' : 'join';
}

export interface PrepareOptions {
  readonly config: ServerConfig;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Decides where the data is. A server that joins gets the cluster's authorities here, before anything is made of its
 * own. Throws OperatorError when it may not join.
 */
export async function prepareDatastore(options: PrepareOptions): Promise<DatastoreChoice> {
  const { config, paths, clock } = options;
  const found = { libsql: await exists(paths.database), etcd: await findEtcdData(paths.etcd) };
  await checkRestored(paths);
  const choice = chooseDatastore(found, config.cluster);
  if (found.libsql) inspectDatabaseFile(paths.database);
  if (found.libsql && choice !== 'refuse') await discardEtcd(paths, clock);
  switch (choice) {
    case 'libsql':
      return { kind: 'libsql' };
    case 'existing':
      return { kind: 'etcd', start: { kind: 'existing' }, migrate: false };
    case 'new':
    case 'migrate':
      return { kind: 'etcd', start: { kind: 'new' }, migrate: choice === 'migrate' };
    case 'join':
      return { kind: 'etcd', start: await join(options), migrate: false };
    case 'lost':
      throw new OperatorError(
        `etcd's data is missing in ${paths.etcd}: put it back, or delete ${paths.etcd} and start with --server to get it from another server, or to begin anew`,
      );
    case 'refuse':
      throw new OperatorError(
        `${paths.dataDir} holds a cluster of its own (${paths.database}): a server that joins another one begins empty; move ${paths.dataDir} away first, or leave out --server`,
      );
  }
}

async function join({ config, paths, clock, log, signal }: PrepareOptions): Promise<MemberStart> {
  const { server = '' } = config.cluster;
  const token = config.token ?? '';
  const bootstrap = await fetchBootstrap({ server, token, clock, log, signal });
  checkCritical(criticalSettings(config), bootstrap.critical, server);
  if (bootstrap.etcd === undefined) {
    throw new OperatorError(
      `${server} keeps its data for itself alone: restart it with --cluster-init first, then others can join it`,
    );
  }
  await writeSharedFiles(paths, bootstrap.files);
  return { kind: 'join', clientURLs: bootstrap.etcd.clientURLs };
}

/** Removes etcd's half-filled data, with the etcd that a killed kedge left running on it. */
async function discardEtcd(paths: Paths, clock: Clock): Promise<void> {
  const left = await findEtcdProcess(etcdLayout(paths.etcd));
  if (left !== undefined) await stopEtcd(left, clock);
  await rm(paths.etcd, { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

import { link, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { OperatorError } from '../../base/component.ts';
import type { Logger } from '../../base/log.ts';
import type { Paths } from '../../base/paths.ts';
import { openEtcdDatastore } from '../../datastore/etcd/etcd-datastore.ts';
import { openLibsqlDatastore } from '../../datastore/libsql/libsql-datastore.ts';
import { etcdLayout } from '../../etcd/layout.ts';
import { EtcdMember, findEtcdData } from '../../etcd/member.ts';
import { findEtcdProcess, stopEtcd } from '../../etcd/process.ts';
import { checkDataDirectory } from '../../host/data-directory.ts';
import { putAll } from '../cluster/migrate.ts';
import { clusterId } from './cluster-id.ts';
import { readSnapshot, type Snapshot } from './snapshot-file.ts';

export interface RestoreOptions {
  readonly paths: Paths;
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Beside etcd's data while it is being filled: it is not whole then. */
const UNFINISHED = 'restoring';

/** Throws OperatorError when a restore was broken off and etcd's data is therefore not whole. */
export async function checkRestored(paths: Paths): Promise<void> {
  if (await exists(join(paths.etcd, UNFINISHED))) {
    throw new OperatorError(`restoring a snapshot was broken off: run \`kedge snapshot restore\` again`);
  }
}

/**
 * Puts the content of a snapshot into this server's store in place of what is there, which is kept aside; the server
 * must not run. Returns where the old data is. Throws OperatorError for a snapshot of another cluster.
 */
export async function restoreSnapshot(path: string, options: RestoreOptions): Promise<string | undefined> {
  const { paths } = options;
  await checkDataDirectory(paths.dataDir);
  const snapshot = await readSnapshot(path);
  const own = await clusterId(paths);
  const { cluster } = snapshot.header;
  if (cluster.id !== own.id) {
    throw new OperatorError(
      `${path} is a snapshot of another cluster (${cluster.name}); this server is one of ${own.name}: name a snapshot of this one`,
    );
  }
  const inEtcd = (await findEtcdData(paths.etcd)) !== 'none' || (await exists(join(paths.etcd, UNFINISHED)));
  return inEtcd ? restoreEtcd(snapshot, options) : restoreLibsql(snapshot, options);
}

async function restoreLibsql({ kvs }: Snapshot, options: RestoreOptions): Promise<string | undefined> {
  const { paths, clock, log } = options;
  const onFatal = (error: Error): void => log.error('datastore failed', { error: error.message });
  const fresh = `${paths.database}.restoring`;
  const removeFresh = async (): Promise<void> => {
    for (const suffix of ['', '-wal', '-shm']) await rm(`${fresh}${suffix}`, { force: true });
  };
  await removeFresh();
  const store = await openLibsqlDatastore({ path: fresh, nativeDir: paths.native, log, clock, onFatal });
  try {
    await putAll(store, kvs);
  } finally {
    await store.close();
  }
  let kept: string | undefined;
  if (await exists(paths.database)) {
    // Closing it cleanly brings everything into the one file; it also tells when somebody has it open.
    const old = await openLibsqlDatastore({ path: paths.database, nativeDir: paths.native, log, clock, onFatal });
    await old.close();
    kept = `${paths.database}.before-restore-${Math.floor(clock.now() / 1000)}`;
    await link(paths.database, kept);
    for (const suffix of ['-wal', '-shm']) await rm(`${paths.database}${suffix}`, { force: true });
  }
  await rename(fresh, paths.database);
  await removeFresh();
  return kept;
}

async function restoreEtcd({ kvs }: Snapshot, options: RestoreOptions): Promise<string | undefined> {
  const { paths, clock, log, signal } = options;
  const running = await findEtcdProcess(etcdLayout(paths.etcd));
  if (running !== undefined) await stopEtcd(running, clock);
  const kept = `${paths.etcd}.before-restore-${Math.floor(clock.now() / 1000)}`;
  if (await exists(join(paths.etcd, UNFINISHED))) await rm(paths.etcd, { recursive: true });
  else await rename(paths.etcd, kept);
  await mkdir(paths.etcd, { recursive: true, mode: 0o700 });
  await writeFile(join(paths.etcd, UNFINISHED), '');
  const member = soleMember('new', options);
  await member.start(signal);
  try {
    const onFatal = (error: Error): void => log.error('datastore failed', { error: error.message });
    const store = await openEtcdDatastore({ client: member.client(), log, clock, onFatal });
    try {
      await putAll(store, kvs);
    } finally {
      await store.close();
    }
  } finally {
    await member.stop();
  }
  await rm(join(paths.etcd, UNFINISHED));
  return kept;
}

/** Makes this server the only member of its etcd, with the data it has (k3s: --cluster-reset). */
export async function resetMembers(options: RestoreOptions): Promise<void> {
  if ((await findEtcdData(options.paths.etcd)) !== 'present') {
    throw new OperatorError('there is no etcd data to reset: this server keeps its data for itself alone');
  }
  const member = soleMember('reset', options);
  await member.start(options.signal);
  await member.stop();
}

function soleMember(kind: 'new' | 'reset', { paths, nodeName, nodeIP, clock, log }: RestoreOptions): EtcdMember {
  return new EtcdMember({
    dataDir: paths.dataDir,
    root: paths.etcd,
    tls: paths.etcdTls,
    nodeName,
    address: nodeIP,
    start: { kind },
    canRejoin: false,
    clock,
    log: log.child('etcd'),
    onFatal: (error) => log.error('etcd failed', { error: error.message }),
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

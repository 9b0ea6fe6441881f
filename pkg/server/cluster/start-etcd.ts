import type { Clock } from '../../base/clock.ts';
import type { Supervisor } from '../../base/component.ts';
import type { Logger } from '../../base/log.ts';
import type { Paths } from '../../base/paths.ts';
import type { Datastore } from '../../datastore/datastore.ts';
import { openEtcdDatastore } from '../../datastore/etcd/etcd-datastore.ts';
import { openLibsqlDatastore } from '../../datastore/libsql/libsql-datastore.ts';
import { EtcdMember } from '../../etcd/member.ts';
import type { Member } from '../../etcd/membership.ts';
import type { ServerConfig } from '../config.ts';
import type { DatastoreChoice } from './choose-datastore.ts';
import { migrateToEtcd } from './migrate.ts';

export interface StartEtcdOptions {
  readonly config: ServerConfig;
  readonly paths: Paths;
  readonly nodeIP: string;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onFatal: (error: Error) => void;
}

export interface RunningEtcd {
  readonly member: EtcdMember;
  /** Opens the datastore in it. */
  open(): Promise<Datastore>;
}

/** Starts this server's etcd and waits until it has a place in the cluster; moves a single server's data into it. */
export async function startEtcd(
  choice: Extract<DatastoreChoice, { kind: 'etcd' }>,
  options: StartEtcdOptions,
): Promise<RunningEtcd> {
  const { config, paths, nodeIP, supervisor, clock, log, onFatal } = options;
  const member = new EtcdMember({
    dataDir: config.dataDir,
    root: paths.etcd,
    tls: paths.etcdTls,
    nodeName: config.node.name,
    address: nodeIP,
    certificateLifetimeMs: config.certificateLifetimeMs,
    start: choice.start,
    canRejoin: config.cluster.server !== undefined,
    clock,
    log: log.child('etcd'),
    onFatal,
  });
  await supervisor.start(member);
  const datastoreLog = log.child('datastore');
  const open = (): Promise<Datastore> =>
    openEtcdDatastore({ client: member.client(), log: datastoreLog, clock, ending: supervisor.signal, onFatal });
  if (choice.migrate) {
    const openLibsql = (): Promise<Datastore> =>
      openLibsqlDatastore({ path: paths.database, nativeDir: paths.native, log: datastoreLog, clock, onFatal });
    await migrateToEtcd({ paths, openLibsql, openEtcd: open, log });
  }
  warnOfQuorum(await member.members(), log);
  return { member, open };
}

/** Two servers are worse than one: either one's loss stops all writes. */
export function warnOfQuorum(members: readonly Member[], log: Logger): void {
  const voters = members.filter((member) => !member.isLearner).length;
  if (voters === 2) {
    log.warn('two servers have no spare: without either one of them nothing can be written; add a third server');
  }
}

/** Where etcd's voting members are. */
export function clientURLsOf(members: readonly Member[]): string[] {
  return members.filter((member) => !member.isLearner).flatMap((member) => member.clientURLs);
}

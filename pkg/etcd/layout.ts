import { join } from 'node:path';
import type { EtcdCertificateFiles } from '../pki/etcd-certificates.ts';

/** Ports of etcd: clients (the servers' own datastores) and peers. */
export interface EtcdPorts {
  readonly client: number;
  readonly peer: number;
}

export const ETCD_PORTS: EtcdPorts = { client: 2379, peer: 2380 };

/** Where one server keeps what belongs to its etcd. */
export interface EtcdLayout {
  /** Everything below it may go when the server leaves the cluster. */
  readonly root: string;
  /** etcd's own data. */
  readonly data: string;
  /** Its write-ahead log, without which there is no member. */
  readonly wal: string;
  /** There as soon as this member has had a place in a cluster: from then on its data has to be there as well. */
  readonly started: string;
  readonly config: string;
  /** Name of this member, made once: `<node>-<8 hex digits>`. */
  readonly name: string;
  /** Client addresses of the cluster as last seen, for a start while this member is still a learner. */
  readonly peers: string;
  /** Which process runs. */
  readonly record: string;
  readonly log: string;
}

/** The files of etcd below `root` (`<data-dir>/server/db/etcd`). */
export function etcdLayout(root: string): EtcdLayout {
  return {
    root,
    data: join(root, 'member-data'),
    wal: join(root, 'member-data', 'member', 'wal'),
    started: join(root, 'started'),
    config: join(root, 'config.json'),
    name: join(root, 'name'),
    peers: join(root, 'peers.json'),
    record: join(root, 'process.json'),
    log: join(root, 'etcd.log'),
  };
}

export interface EtcdConfig {
  readonly layout: EtcdLayout;
  readonly name: string;
  /** This server's address. */
  readonly address: string;
  readonly ports: EtcdPorts;
  /** `name=https://address:2380` of all members at the first start. */
  readonly initialCluster: readonly string[];
  readonly state: 'new' | 'existing';
  /** Makes the data a cluster of this one member, whatever members it had. */
  readonly forceNewCluster: boolean;
  readonly certificates: EtcdCertificateFiles;
}

const host = (address: string): string => (address.includes(':') ? `[${address}]` : address);
export const peerURL = (address: string, { peer }: EtcdPorts): string => `https://${host(address)}:${peer}`;
export const clientURL = (address: string, { client }: EtcdPorts): string => `https://${host(address)}:${client}`;

/** Slow disks and busy small machines must not cost the leadership at every hiccup: twice etcd's own times. */
const HEARTBEAT_MS = 200;
const ELECTION_MS = 2_000;

/** etcd's configuration file; JSON is YAML. */
export function etcdConfigFile(config: EtcdConfig): string {
  const { layout, name, address, ports, certificates } = config;
  const security = (pair: { certificate: string; key: string }, ca: string): object => ({
    'cert-file': pair.certificate,
    'key-file': pair.key,
    'trusted-ca-file': ca,
    'client-cert-auth': true,
  });
  const local = clientURL('127.0.0.1', ports);
  const file = {
    name,
    'data-dir': layout.data,
    'listen-client-urls': [...new Set([local, clientURL(address, ports)])].join(','),
    'advertise-client-urls': clientURL(address, ports),
    'listen-peer-urls': peerURL(address, ports),
    'initial-advertise-peer-urls': peerURL(address, ports),
    'initial-cluster': config.initialCluster.join(','),
    'initial-cluster-state': config.state,
    'client-transport-security': security(certificates.server, certificates.serverCA),
    'peer-transport-security': security(certificates.peer, certificates.peerCA),
    'heartbeat-interval': HEARTBEAT_MS,
    'election-timeout': ELECTION_MS,
    'snapshot-count': 10_000,
    // A value may have 1.5 MiB, and a transaction has the key twice beside it.
    'max-request-bytes': 2 * 1024 * 1024,
    'quota-backend-bytes': 2 * 1024 * 1024 * 1024,
    'auto-compaction-mode': 'periodic',
    'auto-compaction-retention': '5m',
    'enable-grpc-gateway': false,
    logger: 'zap',
    'log-level': 'warn',
    'log-outputs': ['stderr'],
    ...(config.forceNewCluster ? { 'force-new-cluster': true } : {}),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

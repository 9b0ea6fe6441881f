import type { X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import {
  type ExistingLeaf,
  LEAF_LIFETIME_MS,
  type LeafSpec,
  type LeafUsage,
  planCertificates,
} from './certificate-plan.ts';
import { ensureAuthority, readPair, writePair } from './certificates.ts';
import { issueCertificate, type KeyPairPem } from './issue.ts';
import { readKeyPair, readLeaf } from './read-certificate.ts';
import { canonicalIP } from './wanted-certificates.ts';

export interface EtcdCertificateOptions {
  /** `server/tls/etcd` below the data directory. */
  readonly directory: string;
  readonly nodeName: string;
  /** Addresses and names other servers reach this one by. */
  readonly addresses: readonly string[];
  /** How long certificates live, in ms; 365 days unless given. */
  readonly lifetimeMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The files etcd is told of; the CAs are etcd's own, so that no other certificate of the cluster opens it. */
export interface EtcdCertificateFiles {
  readonly serverCA: string;
  readonly peerCA: string;
  readonly server: { readonly certificate: string; readonly key: string };
  readonly peer: { readonly certificate: string; readonly key: string };
}

/** The CAs of etcd, as k3s names their files: one for clients and what they connect to, one among servers. */
export const ETCD_AUTHORITIES = ['server-ca', 'peer-ca'] as const;

export interface EtcdCertificates {
  readonly files: EtcdCertificateFiles;
  /** What the API server shows etcd. */
  readonly client: KeyPairPem;
  readonly serverCA: string;
  /** All three. */
  readonly leaves: readonly KeyPairPem[];
}

function leaf(name: string, issuer: string, usage: LeafUsage, commonName: string, names: readonly string[]): LeafSpec {
  return {
    name,
    issuer,
    commonName,
    organizations: [],
    usage,
    dnsNames: names.filter((value) => isIP(value) === 0).map((value) => value.toLowerCase()),
    ipAddresses: [...new Set(names.filter((value) => isIP(value) !== 0).map(canonicalIP))],
  };
}

/** Reads etcd's certificates, issuing what is missing or no longer fits. etcd reads its files at each handshake. */
export async function ensureEtcdCertificates(options: EtcdCertificateOptions): Promise<EtcdCertificates> {
  const { directory, nodeName, addresses, lifetimeMs = LEAF_LIFETIME_MS, clock, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const authorities = new Map<string, KeyPairPem>();
  const parsed = new Map<string, X509Certificate>();
  for (const name of ETCD_AUTHORITIES) {
    const authority = await ensureAuthority(name, directory, { clock, log }, `etcd-${name}`);
    authorities.set(name, authority);
    const read = readKeyPair(authority);
    if (read !== undefined) parsed.set(name, read.certificate);
  }
  const local = ['localhost', '127.0.0.1', '::1', nodeName, ...addresses];
  const wanted = [
    leaf('server-client', 'server-ca', 'peer', 'etcd-server', local),
    leaf('peer-server-client', 'peer-ca', 'peer', 'etcd-peer', local),
    leaf('client', 'server-ca', 'client', 'etcd-client', []),
  ];
  const pairs = new Map<string, KeyPairPem>();
  const existing = new Map<string, ExistingLeaf>();
  for (const { name } of wanted) {
    const { certificate, key } = await readPair(join(directory, name));
    if (certificate === undefined || key === undefined) continue;
    pairs.set(name, { certificate, key });
    const read = readLeaf({ certificate, key }, parsed);
    if (read !== undefined) existing.set(name, read);
  }
  for (const { leaf: spec, reason } of planCertificates(existing, wanted, clock.now(), lifetimeMs)) {
    const authority = authorities.get(spec.issuer);
    if (authority === undefined) throw new Error(`etcd has no authority ${spec.issuer}`);
    const pair = await issueCertificate(spec, authority, clock.now(), lifetimeMs);
    await writePair(join(directory, spec.name), pair, false);
    pairs.set(spec.name, pair);
    log.info('certificate issued', { name: `etcd/${spec.name}`, reason });
  }
  const client = pairs.get('client');
  const serverCA = authorities.get('server-ca')?.certificate;
  if (client === undefined || serverCA === undefined) throw new Error('etcd has no client certificate');
  const pairFiles = (name: string) => ({
    certificate: join(directory, `${name}.crt`),
    key: join(directory, `${name}.key`),
  });
  return {
    files: {
      serverCA: join(directory, 'server-ca.crt'),
      peerCA: join(directory, 'peer-ca.crt'),
      server: pairFiles('server-client'),
      peer: pairFiles('peer-server-client'),
    },
    client,
    serverCA,
    leaves: [...pairs.values()],
  };
}

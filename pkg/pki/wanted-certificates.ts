import { isIP, SocketAddress } from 'node:net';
import type { LeafSpec } from './certificate-plan.ts';

/** kedge's three authorities, named as k3s names their files. */
export const AUTHORITIES = ['server-ca', 'client-ca', 'request-header-ca'] as const;
export type AuthorityName = (typeof AUTHORITIES)[number];

/** Certificates of the control plane, below `server/tls`. */
export const SERVER_LEAVES = [
  'serving-kube-apiserver',
  'client-admin',
  'client-controller',
  'client-scheduler',
  'client-kube-apiserver',
  'client-auth-proxy',
] as const;
/** Certificates of a node, below `agent`. */
export const AGENT_LEAVES = ['serving-kubelet', 'client-kubelet', 'client-kube-proxy'] as const;
export type LeafName = (typeof SERVER_LEAVES)[number] | (typeof AGENT_LEAVES)[number];

/** What the certificates depend on; all of it may change between two starts. */
export interface CertificateSubject {
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  /** Cluster IP of the `kubernetes` Service. */
  readonly serviceIP: string;
  readonly clusterDomain: string;
  /** `--tls-san`: further host names and addresses of the API server. */
  readonly tlsSans: readonly string[];
}

/** One spelling per address (`::1`, never `0:0:…:1`), so that addresses compare as strings. Throws for anything else. */
export function canonicalIP(address: string): string {
  const family = isIP(address);
  if (family === 0) throw new TypeError(`not an IP address: ${address}`);
  return new SocketAddress({ address, family: family === 4 ? 'ipv4' : 'ipv6' }).address;
}

function client(name: LeafName, commonName: string, organizations: readonly string[] = []): LeafSpec {
  const issuer: AuthorityName = name === 'client-auth-proxy' ? 'request-header-ca' : 'client-ca';
  return { name, issuer, commonName, organizations, usage: 'client', dnsNames: [], ipAddresses: [] };
}

function serving(name: LeafName, commonName: string, names: readonly string[]): LeafSpec {
  const issuer: AuthorityName = 'server-ca';
  const dnsNames = new Set<string>();
  const ipAddresses = new Set<string>();
  for (const value of names) {
    if (isIP(value) === 0) dnsNames.add(value.toLowerCase());
    else ipAddresses.add(canonicalIP(value));
  }
  return {
    name,
    issuer,
    commonName,
    organizations: [],
    usage: 'server',
    dnsNames: [...dnsNames],
    ipAddresses: [...ipAddresses],
  };
}

/**
 * Every leaf a server that is also a node needs. The identities are upstream's, so that the default RBAC roles and the
 * Node authorizer apply to them; `client-kube-apiserver` is what the API server shows to kubelets.
 */
export function wantedCertificates(subject: CertificateSubject): LeafSpec[] {
  const local = ['localhost', '127.0.0.1', '::1', subject.nodeName, ...subject.nodeIPs];
  return [
    serving('serving-kube-apiserver', 'kube-apiserver', [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${subject.clusterDomain}`,
      ...local,
      subject.serviceIP,
      ...subject.tlsSans,
    ]),
    client('client-admin', 'system:admin', ['system:masters']),
    client('client-controller', 'system:kube-controller-manager'),
    client('client-scheduler', 'system:kube-scheduler'),
    client('client-kube-apiserver', 'system:apiserver', ['system:masters']),
    client('client-auth-proxy', 'system:auth-proxy'),
    serving('serving-kubelet', subject.nodeName, local),
    client('client-kubelet', `system:node:${subject.nodeName}`, ['system:nodes']),
    client('client-kube-proxy', 'system:kube-proxy'),
  ];
}

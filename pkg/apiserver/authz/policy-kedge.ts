import type { RoleFacts } from './policy-facts.ts';
import { rule } from './policy-facts.ts';

/** Cluster roles of kedge's own, beside upstream's. */
export const KEDGE_CLUSTER_ROLES: readonly RoleFacts[] = [
  {
    name: 'system:kedge:join',
    rules: [{ verbs: ['get', 'post'], nonResourceURLs: ['/v1-kedge/config', '/v1-kedge/join'] }],
  },
  {
    // What makes a server of a machine: the cluster's keys.
    name: 'system:kedge:server',
    rules: [
      { verbs: ['get', 'post', 'delete'], nonResourceURLs: ['/v1-kedge/server-bootstrap', '/v1-kedge/snapshots'] },
    ],
  },
  {
    // What a node's proxy, DNS and overlay network read beside what a kubelet may.
    name: 'system:kedge:node',
    rules: [
      { verbs: ['get'], nonResourceURLs: ['/v1-kedge/config'] },
      rule('list watch', 'core', 'endpoints namespaces nodes services'),
      rule('list watch', 'discovery.k8s.io', 'endpointslices'),
      rule('create patch update', 'events.k8s.io', 'events'),
    ],
  },
  {
    name: 'system:kedge:serving-approver',
    rules: [rule('approve', 'certificates.k8s.io', 'signers', 'kubernetes.io/kubelet-serving')],
  },
  {
    // Upstream's API server records the addresses itself, with all rights.
    name: 'system:kedge:service-addresses',
    rules: [rule('create delete', 'networking.k8s.io', 'ipaddresses'), rule('list watch', 'core', 'services')],
  },
];

/** Groups of machines: those with a token, those that were given a name, and those that are nodes. */
const BOOTSTRAPPERS = 'system:bootstrappers';
const SERVERS = 'system:bootstrappers:kedge:server';
const JOINING = 'system:bootstrappers:kedge:joining';
const NODES = 'system:nodes';

const CSR = 'system:certificates.k8s.io:certificatesigningrequests';

interface KedgeBinding {
  readonly name: string;
  readonly role: string;
  readonly groups?: readonly string[];
  /** Service accounts of kube-system. */
  readonly accounts?: readonly string[];
}

/** Bindings of kedge's own across the cluster. */
export const KEDGE_CLUSTER_BINDINGS: readonly KedgeBinding[] = [
  { name: 'system:kedge:join', role: 'system:kedge:join', groups: [BOOTSTRAPPERS] },
  { name: 'system:kedge:server', role: 'system:kedge:server', groups: [SERVERS] },
  { name: 'system:kedge:node', role: 'system:kedge:node', groups: [NODES] },
  { name: 'system:kedge:node-bootstrapper', role: 'system:node-bootstrapper', groups: [JOINING] },
  { name: 'system:kedge:nodeclient', role: `${CSR}:nodeclient`, groups: [JOINING] },
  { name: 'system:kedge:selfnodeclient', role: `${CSR}:selfnodeclient`, groups: [NODES] },
  {
    name: 'system:kedge:serving-approver',
    role: 'system:kedge:serving-approver',
    accounts: ['certificate-controller'],
  },
  {
    name: 'system:kedge:service-addresses',
    role: 'system:kedge:service-addresses',
    accounts: ['service-cidrs-controller'],
  },
];

/** Roles of kedge's own in kube-system, each bound to the service account of the same name. */
export const KEDGE_SYSTEM_ROLES: readonly { account: string; rules: RoleFacts['rules'] }[] = [
  { account: 'node-password-controller', rules: [rule('delete', 'core', 'secrets')] },
];

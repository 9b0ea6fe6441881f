import {
  clusterRoles,
  configMaps,
  endpointSlices,
  endpoints,
  namespaces,
  priorityClasses,
  serviceCIDRs,
  services,
} from '../api/resources.ts';
import type { Input, KubeObject, ResourceType } from '../api/types.ts';
import { semanticEqual } from '../apimachinery/deep-equal.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { Client } from '../client/client.ts';

/** The namespaces every cluster has. */
const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export interface KubernetesService {
  /** The first address of the service range. */
  readonly clusterIP: string;
  readonly port: number;
}

async function ensure<T extends KubeObject>(client: Client, type: ResourceType<T>, object: Input<T>): Promise<void> {
  try {
    await client.create(type, object);
  } catch (error) {
    if (!isStatusReason(error, 'AlreadyExists')) throw error;
  }
}

async function isThere<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  { name, namespace }: { readonly name: string; readonly namespace: string },
): Promise<boolean> {
  try {
    await client.get(type, name, namespace);
    return true;
  } catch (error) {
    if (isStatusReason(error, 'NotFound')) return false;
    throw error;
  }
}

/** Creates the system namespaces; everything else of the start needs them. */
export async function ensureNamespaces(client: Client): Promise<void> {
  await Promise.all(SYSTEM_NAMESPACES.map((name) => ensure(client, namespaces, { metadata: { name } })));
}

/** The two priority classes that cannot be made by users. */
export async function ensurePriorityClasses(client: Client): Promise<void> {
  const classes = [
    {
      name: 'system-cluster-critical',
      value: 2_000_000_000,
      description:
        'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    },
    {
      name: 'system-node-critical',
      value: 2_000_001_000,
      description: 'Used for system critical pods that must not be moved from their current node.',
    },
  ];
  await Promise.all(
    classes.map(({ name, value, description }) =>
      ensure(client, priorityClasses, {
        metadata: { name },
        value,
        description,
        preemptionPolicy: 'PreemptLowerPriority',
      }),
    ),
  );
}

/** Lets everybody who may look at Pods see what they use: the role that metrics-server's manifests bring. */
export async function ensureMetricsReader(client: Client): Promise<void> {
  const aggregate = (role: string): string => `rbac.authorization.k8s.io/aggregate-to-${role}`;
  await ensure(client, clusterRoles, {
    metadata: {
      name: 'system:aggregated-metrics-reader',
      labels: { [aggregate('admin')]: 'true', [aggregate('edit')]: 'true', [aggregate('view')]: 'true' },
    },
    rules: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] }],
  });
}

/** The bundles that say who is who here. */
export interface TrustedAuthorities {
  readonly clientCA: string;
  readonly requestHeaderCA: string;
}

/**
 * Tells the API servers behind this one, which look there when they start, whose certificates name users and whose name
 * the proxy that speaks for them (upstream: the cluster authentication trust controller).
 */
export async function ensureAuthenticationTrust(client: Client, authorities: TrustedAuthorities): Promise<void> {
  await replace(client, configMaps, {
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: {
      'client-ca-file': authorities.clientCA,
      'requestheader-client-ca-file': authorities.requestHeaderCA,
      'requestheader-allowed-names': '["system:auth-proxy"]',
      'requestheader-username-headers': '["X-Remote-User"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    },
  });
}

const KUBERNETES = { name: 'kubernetes', namespace: 'default' } as const;

/** Makes the Service `default/kubernetes`, which is the API servers'. */
export async function ensureKubernetesService(client: Client, { clusterIP, port }: KubernetesService): Promise<void> {
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const metadata = KUBERNETES;
  // Its address is asked for once: that takes several servers' agreement.
  if (await isThere(client, services, metadata)) return;
  await ensure(client, services, {
    metadata: { ...metadata, labels },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
    },
  });
}

const CIDR_FINALIZER = 'networking.k8s.io/service-cidr-finalizer';

/** Makes the ServiceCIDR of the cluster, which is upstream's default one and always ready. */
export async function ensureServiceCIDR(client: Client, cidr: string, now: number): Promise<void> {
  const { name } = KUBERNETES;
  await ensure(client, serviceCIDRs, { metadata: { name, finalizers: [CIDR_FINALIZER] }, spec: { cidrs: [cidr] } });
  const current = await client.get(serviceCIDRs, name);
  if (current.status.conditions?.some(({ type }) => type === 'Ready')) return;
  const message = 'Kubernetes default Service CIDR is ready';
  const ready = { type: 'Ready', status: 'True', reason: '', message, lastTransitionTime: formatTime(now) };
  await client.update(serviceCIDRs, { ...current, status: { conditions: [ready] } }, { subresource: 'status' });
}

/** Makes the endpoints of `default/kubernetes` the API servers at `addresses` (at least one, sorted). */
export async function ensureKubernetesEndpoints(
  client: Client,
  addresses: readonly string[],
  port: number,
): Promise<void> {
  const metadata = KUBERNETES;
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  const mirror = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  await replace(client, endpoints, {
    metadata: { ...metadata, labels: mirror },
    subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports }],
  });
  await replace(client, endpointSlices, {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: addresses[0]?.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports,
  });
}

/** Creates the object, or changes the one there is when what is wanted differs. */
async function replace<T extends KubeObject>(client: Client, type: ResourceType<T>, wanted: Input<T>): Promise<void> {
  const { name = '', namespace, labels } = (wanted as Input<KubeObject>).metadata ?? {};
  let current: T;
  try {
    current = await client.get(type, name, namespace);
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
    return ensure(client, type, wanted);
  }
  const content = (object: object): object => {
    const { metadata: _m, kind: _k, apiVersion: _v, ...rest } = object as KubeObject;
    return rest;
  };
  const next = {
    ...current,
    ...wanted,
    metadata: { ...current.metadata, labels: { ...current.metadata.labels, ...labels } },
  };
  if (semanticEqual(content(current), content(next)) && semanticEqual(current.metadata.labels, next.metadata.labels))
    return;
  await client.update(type, next as Input<T>);
}

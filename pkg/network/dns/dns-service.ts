import { endpointSlices, services } from '../../api/resources.ts';
import type { Input, KubeObject, ResourceType } from '../../api/types.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';

const NAME = 'kube-dns';
const NAMESPACE = 'kube-system';

/**
 * Makes the `kube-dns` Service that users and charts look for, with k3s' labels and address. It has no selector: every
 * node's kedge answers at the address itself, so its one endpoint is that address, and proxies must leave it alone
 * (their `servedHere`).
 */
export async function ensureDnsService(client: Client, options: { readonly clusterIP: string }): Promise<void> {
  const { clusterIP } = options;
  const labels = {
    'k8s-app': NAME,
    'kubernetes.io/cluster-service': 'true',
    'kubernetes.io/name': 'CoreDNS',
  };
  const metadata = { name: NAME, namespace: NAMESPACE };
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  ];
  await removeFormer(client, clusterIP);
  await createIfMissing(client, services, {
    metadata: { ...metadata, labels },
    spec: { type: 'ClusterIP', clusterIP, ports: ports.map((port) => ({ ...port, targetPort: port.port })) },
  });
  await createIfMissing(client, endpointSlices, {
    metadata: {
      ...metadata,
      labels: {
        'kubernetes.io/service-name': NAME,
        'endpointslice.kubernetes.io/managed-by': 'kedge',
      },
    },
    addressType: clusterIP.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [clusterIP], conditions: { ready: true, serving: true, terminating: false } }],
    ports,
  });
}

/** With another cluster DNS address than before the Service is another one: its address cannot be changed. */
async function removeFormer(client: Client, clusterIP: string): Promise<void> {
  try {
    const former = await client.get(services, NAME, NAMESPACE);
    if (former.spec.clusterIP === clusterIP) return;
    await client.delete(services, NAME, { namespace: NAMESPACE });
    await client.delete(endpointSlices, NAME, { namespace: NAMESPACE });
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
  }
}

async function createIfMissing<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  object: Input<T>,
): Promise<void> {
  try {
    await client.create(type, object);
  } catch (error) {
    if (!isStatusReason(error, 'AlreadyExists')) throw error;
  }
}

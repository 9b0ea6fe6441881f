import type { Node, Service } from '../../api/generated/core-v1.ts';
import { nodes, services } from '../../api/resources.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { OperatorError } from '../../base/component.ts';
import { containsAddress, parseAddress, parseCIDR } from '../../base/ip.ts';
import type { Client } from '../../client/client.ts';
import type { ServerConfig } from '../config.ts';

type Networks = Pick<ServerConfig, 'clusterCIDR' | 'serviceCIDR' | 'flannelBackend'>;

/** What the cluster has given out already, from its data. */
interface GivenOut {
  readonly nodes: readonly Node[];
  /** `default/kubernetes`, whose address is the first one of Services. */
  readonly kubernetes: Service | undefined;
}

/**
 * Why a cluster with this data cannot go on with these networks, in words that name the remedy; undefined when it can.
 * Wider networks than before are well. Without flannel the Pods' addresses are somebody else's business.
 */
export function findOtherNetworks(
  { clusterCIDR, serviceCIDR, flannelBackend }: Networks,
  { nodes: items, kubernetes }: GivenOut,
): string | undefined {
  const clusterIP = kubernetes?.spec.clusterIP;
  if (clusterIP && !lies(clusterIP, serviceCIDR)) {
    return `--service-cidr is ${serviceCIDR}, but Services of this cluster have addresses outside it (${clusterIP}): give the value the cluster was started with`;
  }
  if (flannelBackend === 'none') return undefined;
  for (const { metadata, spec } of items) {
    const block = spec.podCIDRs?.[0] ?? spec.podCIDR;
    if (!block || lies(block.replace(/\/.*/, ''), clusterCIDR)) continue;
    return `--cluster-cidr is ${clusterCIDR}, but the node ${metadata.name} has addresses outside it for its Pods (${block}): give the value the cluster was started with, or delete the Nodes before the change`;
  }
  return undefined;
}

/** Throws OperatorError when the cluster has given out addresses outside the networks it is started with. */
export async function refuseOtherNetworks(client: Client, networks: Networks): Promise<void> {
  const [{ items }, kubernetes] = await Promise.all([client.list(nodes), find(client)]);
  const problem = findOtherNetworks(networks, { nodes: items, kubernetes });
  if (problem !== undefined) throw new OperatorError(problem);
}

async function find(client: Client): Promise<Service | undefined> {
  try {
    return await client.get(services, 'kubernetes', 'default');
  } catch (error) {
    if (isStatusReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

function lies(address: string, network: string): boolean {
  const block = parseCIDR(network);
  const parsed = parseAddress(address);
  return block !== undefined && parsed !== undefined && containsAddress(block, parsed);
}

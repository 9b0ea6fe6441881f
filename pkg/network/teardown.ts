import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunProgram } from '../host/nft.ts';
import { ROUTE_PROTOCOL } from './flannel/plan-changes.ts';
import { removeForwarding } from './forward-accept.ts';
import {
  BRIDGE,
  CNI_CONFIG_FILE,
  CNI_NETWORK,
  DNS_ADDRESS_LABEL,
  HOST_CNI_DIR,
  POD_TABLE,
  PROXY_TABLE,
  VXLAN_DEVICE,
} from './names.ts';
import { removeIpvs } from './proxy/ipvs-host.ts';

/**
 * Everything the network leaves on a host, in the form pkg/agent/teardown.ts removes it. The CNI configuration lies in
 * the data directory and host-local's leases in the run directory. Kernel settings (forwarding, bridge netfilter,
 * conntrack's limit) are not reset: others on the host may rely on them by now.
 */
export const NETWORK_LEFTOVERS = {
  networkDevices: [BRIDGE, VXLAN_DEVICE],
  cniNetworks: [CNI_NETWORK],
  nftTables: [
    { family: 'ip', name: PROXY_TABLE },
    { family: 'ip6', name: PROXY_TABLE },
    { family: 'ip', name: POD_TABLE },
    { family: 'ip6', name: POD_TABLE },
  ],
} as const;

/** The addresses with kedge's label in the output of `ip -json address show dev lo`, as `address/prefix`. */
export function labelledAddresses(json: string): string[] {
  if (json.trim() === '') return [];
  const links = JSON.parse(json) as { addr_info?: { local: string; prefixlen: number; label?: string }[] }[];
  return links
    .flatMap((link) => link.addr_info ?? [])
    .filter(({ label }) => label === DNS_ADDRESS_LABEL)
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/**
 * Removes what is neither a device nor a table of its own: IPVS mode with its device, sets and chains, the DNS
 * address on `lo`, routes to other nodes, rules in the host's iptables, a file.
 */
export async function removeNetworkTraces(run: RunProgram, cniDir = HOST_CNI_DIR): Promise<void> {
  await removeIpvs(run);
  const listing = await run(['ip', '-json', 'address', 'show', 'dev', 'lo']);
  for (const address of labelledAddresses(listing)) await run(['ip', 'address', 'del', address, 'dev', 'lo']);
  await run(['ip', '-4', 'route', 'flush', 'proto', ROUTE_PROTOCOL]);
  await removeForwarding(run);
  await rm(join(cniDir, CNI_CONFIG_FILE), { force: true });
}

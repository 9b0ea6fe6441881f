import { OperatorError } from '../base/component.ts';
import { formatCIDR, overlap, parseCIDR } from '../base/ip.ts';
import type { RunProgram } from '../host/nft.ts';
import { type Link, readLinks } from './flannel/links.ts';
import { BRIDGE, VXLAN_DEVICE } from './names.ts';

export interface ClusterNetworks {
  readonly clusterCIDRs: readonly string[];
  readonly serviceCIDRs: readonly string[];
}

const OWN_DEVICES = new Set(['lo', BRIDGE, VXLAN_DEVICE]);

/**
 * The first network of this machine that the cluster's addresses would hide, in words that name the remedy; undefined
 * when there is none.
 */
export function findOverlap(
  { clusterCIDRs, serviceCIDRs }: ClusterNetworks,
  links: readonly Link[],
): string | undefined {
  const blocks = [
    ...clusterCIDRs.map((text) => ({ text, flag: '--cluster-cidr' })),
    ...serviceCIDRs.map((text) => ({ text, flag: '--service-cidr' })),
  ];
  for (const { ifname, addr_info } of links) {
    if (OWN_DEVICES.has(ifname)) continue;
    for (const { local, prefixlen, scope } of addr_info) {
      const network = parseCIDR(`${local}/${prefixlen}`);
      if (network === undefined || scope !== 'global') continue;
      const taken = blocks.find(({ text }) => {
        const block = parseCIDR(text);
        return block !== undefined && overlap(block, network);
      });
      if (taken === undefined) continue;
      const { text, flag } = taken;
      return `${flag} ${text} overlaps ${formatCIDR(network)}, the network of this machine's device ${ifname}: start the first server with another ${flag}`;
    }
  }
  return undefined;
}

/** Throws OperatorError when the cluster's addresses overlap a network this machine is on. */
export async function refuseOverlap(networks: ClusterNetworks, run: RunProgram): Promise<void> {
  const problem = findOverlap(networks, await readLinks(run));
  if (problem !== undefined) throw new OperatorError(problem);
}

import type { Node } from '../../api/generated/core-v1.ts';
import { type CIDR, formatAddress, formatCIDR, overlap, parseCIDR } from '../../base/ip.ts';
import { announcementOf } from './annotations.ts';

/** What of this node the plan depends on. */
export interface Self {
  readonly name: string;
  readonly backend: 'vxlan' | 'host-gw';
  /** The device packets for other nodes leave by: the VXLAN device, or with host-gw that of the node's own address. */
  readonly device: string;
  /** The node's own address on the network between nodes. */
  readonly address: string;
}

export interface Route {
  readonly destination: string;
  readonly gateway: string;
  readonly device: string;
  /** Whether the gateway counts as a neighbour although no address of the device is on its network. */
  readonly onlink: boolean;
}

/** What the kernel has to know for packets to reach the Pods of other nodes. */
export interface RoutePlan {
  readonly routes: readonly Route[];
  /** Which hardware address stands behind a gateway of the VXLAN device. */
  readonly neighbours: readonly { readonly address: string; readonly mac: string }[];
  /** Which node stands behind a hardware address of the VXLAN device. */
  readonly forwarding: readonly { readonly mac: string; readonly remote: string }[];
  /** Nodes that announce themselves and cannot be reached all the same. */
  readonly skipped: readonly { readonly node: string; readonly reason: string }[];
}

/** The first IPv4 block of a node's Pod CIDRs; undefined when it has none yet. */
export function podCIDROf({ spec }: Node): CIDR | undefined {
  return [...(spec.podCIDRs ?? []), spec.podCIDR ?? ''].map(parseCIDR).find((cidr) => cidr?.family === 4);
}

/** The first address of a block: with VXLAN it is the node's address among the tunnels, as in upstream flannel. */
export function tunnelAddress({ family, base }: CIDR): string {
  return formatAddress({ family, value: base });
}

/** Routes from `self` to the Pods of all other nodes, in the order of their names. Nodes without announcement are passed over. */
export function planRoutes(nodes: Iterable<Node>, self: Self): RoutePlan {
  const routes: Route[] = [];
  const neighbours: { address: string; mac: string }[] = [];
  const forwarding: { mac: string; remote: string }[] = [];
  const skipped: { node: string; reason: string }[] = [];
  const taken: { node: string; cidr: CIDR }[] = [];
  const macs = new Map<string, string>();
  // This node comes first: nobody takes its Pods' addresses away from it.
  const sorted = [...nodes].sort(
    (a, b) => rank(a, self) - rank(b, self) || (a.metadata.name < b.metadata.name ? -1 : 1),
  );
  for (const node of sorted) {
    const { name } = node.metadata;
    const cidr = podCIDROf(node);
    if (cidr === undefined) continue;
    const rival = taken.find((other) => overlap(other.cidr, cidr));
    if (rival !== undefined) {
      skipped.push({ node: name, reason: `its Pod CIDR ${formatCIDR(cidr)} overlaps that of node ${rival.node}` });
      continue;
    }
    taken.push({ node: name, cidr });
    const announced = announcementOf(node);
    if (name === self.name || announced === undefined) continue;
    const { backend, publicIP, vtepMAC } = announced;
    if (backend !== self.backend) {
      skipped.push({ node: name, reason: `its --flannel-backend is ${backend}, here it is ${self.backend}` });
    } else if (publicIP === self.address) {
      skipped.push({ node: name, reason: `it claims ${publicIP}, the address of this node` });
    } else if (vtepMAC === undefined) {
      routes.push({ destination: formatCIDR(cidr), gateway: publicIP, device: self.device, onlink: false });
    } else if (macs.has(vtepMAC)) {
      skipped.push({ node: name, reason: `it has the hardware address of node ${macs.get(vtepMAC)}, ${vtepMAC}` });
    } else {
      macs.set(vtepMAC, name);
      const gateway = tunnelAddress(cidr);
      routes.push({ destination: formatCIDR(cidr), gateway, device: self.device, onlink: true });
      neighbours.push({ address: gateway, mac: vtepMAC });
      forwarding.push({ mac: vtepMAC, remote: publicIP });
    }
  }
  return { routes, neighbours, forwarding, skipped };
}

function rank({ metadata }: Node, self: Self): number {
  return metadata.name === self.name ? 0 : 1;
}

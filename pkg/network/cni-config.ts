import { parseCIDR } from '../base/ip.ts';
import { BRIDGE, CNI_NETWORK } from './names.ts';

export interface CniConfigInput {
  /** The node's Pod CIDRs, one per address family. */
  readonly podCIDRs: readonly string[];
  /** Bytes. */
  readonly mtu: number;
  /** Where host-local keeps which address is whose. */
  readonly leaseDir: string;
  readonly bridge?: string;
  readonly network?: string;
}

/**
 * The CNI configuration list of a node's Pods: a bridge that is their default gateway, addresses from the node's Pod
 * CIDR. It does what k3s' flannel conflist does, with the plugins Debian ships: masquerading (`ipMasq`) and host ports
 * (portmap) are left out because Debian 12's plugins write iptables rules for them; kedge's own nft table does both
 * (pod-table.ts). Throws when there is no Pod CIDR or it is malformed.
 */
export function planCniConfig(input: CniConfigInput): object {
  const cidrs = input.podCIDRs.map((text) => {
    const cidr = parseCIDR(text);
    if (cidr === undefined) throw new Error(`pod CIDR ${JSON.stringify(text)} is malformed`);
    return { text, family: cidr.family };
  });
  if (cidrs.length === 0) throw new Error('a node without a pod CIDR has no CNI configuration');
  return {
    cniVersion: '1.0.0',
    name: input.network ?? CNI_NETWORK,
    plugins: [
      {
        type: 'bridge',
        bridge: input.bridge ?? BRIDGE,
        isGateway: true,
        // A Pod that reaches itself through its own Service leaves and enters by the same bridge port.
        hairpinMode: true,
        // After a reboot or a changed Pod CIDR the bridge may carry the gateway address of former times.
        forceAddress: true,
        ipMasq: false,
        mtu: input.mtu,
        ipam: {
          type: 'host-local',
          dataDir: input.leaseDir,
          ranges: cidrs.map(({ text }) => [{ subnet: text }]),
          routes: cidrs.map(({ family }) => ({ dst: family === 4 ? '0.0.0.0/0' : '::/0' })),
        },
      },
    ],
  };
}

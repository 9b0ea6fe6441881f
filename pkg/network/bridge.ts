import { addressAt, formatAddress, parseCIDR } from '../base/ip.ts';
import { exec } from '../host/exec.ts';
import { randomHardwareAddress } from '../host/hardware-address.ts';
import { readSysctl, writeSysctl } from '../host/sysctl.ts';

export interface BridgeOptions {
  readonly name: string;
  /** The node's Pod CIDRs: the bridge gets the first address of each, Pods' default gateway. */
  readonly podCIDRs: readonly string[];
  /** Bytes. */
  readonly mtu: number;
}

interface LinkAddress {
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
}

/** The address the CNI bridge plugin gives the bridge for a Pod CIDR: `10.42.3.1/24`. Throws when it is malformed. */
export function gatewayOf(podCIDR: string): string {
  const cidr = parseCIDR(podCIDR);
  if (cidr === undefined) throw new Error(`pod CIDR ${JSON.stringify(podCIDR)} is malformed`);
  return `${formatAddress(addressAt(cidr, 1n))}/${cidr.prefix}`;
}

/**
 * Makes the bridge complete before the first Pod does: settings of it have to be in place by then, and the first Pods,
 * started together, would each try to give it addresses, which fails all but one ("could not set bridge's mac").
 */
export async function ensureBridge({ name, podCIDRs, mtu }: BridgeOptions): Promise<void> {
  const bridges = JSON.parse(await exec(['ip', '-json', 'link', 'show', 'type', 'bridge'])) as { ifname?: string }[];
  if (!bridges.some(({ ifname }) => ifname === name)) {
    // A bridge without an address of its own takes that of a port, and another one when that port goes.
    await exec(['ip', 'link', 'add', 'name', name, 'address', randomHardwareAddress(), 'type', 'bridge']);
  }
  await exec(['ip', 'link', 'set', 'dev', name, 'mtu', String(mtu), 'up']);
  await ensureAddresses(name, podCIDRs.map(gatewayOf));
  // The host's own requests to 127.0.0.1:<node port> leave by the bridge; pod-table.ts guards the other direction.
  const setting = `net/ipv4/conf/${name}/route_localnet`;
  if ((await readSysctl(setting)) === '0') await writeSysctl(setting, '1');
}

/** Gives the bridge `wanted` and takes away what it has of former Pod CIDRs. */
async function ensureAddresses(name: string, wanted: readonly string[]): Promise<void> {
  const text = await exec(['ip', '-json', 'address', 'show', 'dev', name]);
  const links = JSON.parse(text) as { readonly addr_info?: readonly LinkAddress[] }[];
  const present = links
    .flatMap(({ addr_info = [] }) => addr_info)
    .filter(({ scope }) => scope === 'global')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  for (const old of present.filter((address) => !wanted.includes(address))) {
    await exec(['ip', 'address', 'del', old, 'dev', name]);
  }
  for (const address of wanted.filter((candidate) => !present.includes(candidate))) {
    await exec(['ip', 'address', 'add', address, 'dev', name]);
  }
}

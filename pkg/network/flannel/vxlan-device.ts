import { errorText } from '../../base/log.ts';
import { ExecError } from '../../host/exec.ts';
import { randomHardwareAddress } from '../../host/hardware-address.ts';
import type { RunProgram } from '../../host/nft.ts';
import type { Link } from './links.ts';
import type { Underlay } from './underlay.ts';

/** Upstream flannel's numbers on Linux. */
const VNI = 1;
const PORT = 8472;
/** Bytes that VXLAN puts around a packet: outer IPv4, UDP and VXLAN headers, inner Ethernet header. */
export const VXLAN_OVERHEAD = 50;

export interface VxlanDevice {
  readonly name: string;
  readonly underlay: Underlay;
  /** The hardware address this node has announced; kept, so that others need not learn another one. */
  readonly announcedMAC: string | undefined;
  /** The node's address among the tunnels; undefined while the node has no Pod CIDR. */
  readonly tunnelAddress: string | undefined;
}

/** The commands that put the device in order, and the hardware address it then has. Pure but for a random address. */
export function planVxlanDevice(device: VxlanDevice, links: readonly Link[]): { mac: string; commands: string[] } {
  const { name, underlay, announcedMAC, tunnelAddress } = device;
  const mtu = underlay.mtu - VXLAN_OVERHEAD;
  const found = links.find(({ ifname }) => ifname === name);
  const mac = announcedMAC ?? (isVxlan(found) ? found?.address : undefined) ?? randomHardwareAddress();
  const addresses = found === undefined ? [] : found.addr_info.filter(({ family }) => family === 'inet');
  const address = tunnelAddress === undefined ? undefined : `${tunnelAddress}/32`;
  const fits = found !== undefined && serves(found, underlay);
  const commands: string[] = [];
  if (!fits) {
    if (isVxlan(found)) commands.push(`link del dev ${name}`);
    commands.push(
      // An address of its own keeps udev from giving it another one.
      `link add name ${name} address ${mac} mtu ${mtu} type vxlan id ${VNI} local ${underlay.address} ` +
        `dev ${underlay.device} dstport ${PORT} nolearning`,
      `link set dev ${name} addrgenmode none`,
    );
  } else if (found.address !== mac) {
    commands.push(`link set dev ${name} address ${mac}`);
  }
  if (fits && found.mtu !== mtu) commands.push(`link set dev ${name} mtu ${mtu}`);
  if (!fits || !found.flags.includes('UP')) commands.push(`link set dev ${name} up`);
  const present = fits ? addresses.map(({ local, prefixlen }) => `${local}/${prefixlen}`) : [];
  if (address !== undefined && !present.includes(address)) commands.push(`address add ${address} dev ${name}`);
  for (const old of present.filter((candidate) => candidate !== address)) {
    if (address !== undefined) commands.push(`address del ${old} dev ${name}`);
  }
  return { mac, commands };
}

/** Makes the device, or mends it. Resolves to its hardware address. Throws an Error that names the remedy. */
export async function ensureVxlanDevice(device: VxlanDevice, links: readonly Link[], run: RunProgram): Promise<string> {
  const { mac, commands } = planVxlanDevice(device, links);
  if (commands.length === 0) return mac;
  try {
    await run(['ip', '-batch', '-'], { input: `${commands.join('\n')}\n` });
  } catch (error) {
    throw new Error(remedyFor(error, device.name, links), { cause: error });
  }
  return mac;
}

function isVxlan(link: Link | undefined): boolean {
  return link?.linkinfo?.info_kind === 'vxlan';
}

/** Whether packets take the right way through the device; what else is wrong with it can be mended in place. */
function serves(link: Link, underlay: Underlay): boolean {
  const data = link.linkinfo?.info_data;
  return (
    isVxlan(link) &&
    data?.id === VNI &&
    data.port === PORT &&
    data.local === underlay.address &&
    data.link === underlay.device &&
    data.learning === false
  );
}

function remedyFor(error: unknown, name: string, links: readonly Link[]): string {
  const text = error instanceof ExecError ? error.stderr : errorText(error);
  if (/unknown device type|not supported/i.test(text)) {
    return 'this kernel has no VXLAN: install the kernel module vxlan, or start every node with --flannel-backend=host-gw';
  }
  const rival = links.find(
    ({ ifname, linkinfo }) => ifname !== name && linkinfo?.info_kind === 'vxlan' && linkinfo.info_data?.port === PORT,
  );
  if (/file exists|in use/i.test(text) && rival !== undefined) {
    return `the device ${rival.ifname} uses UDP port ${PORT} for VXLAN already: remove the other network with \`ip link delete ${rival.ifname}\``;
  }
  if (/file exists/i.test(text)) return `a device ${name} is in the way: remove it with \`ip link delete ${name}\``;
  return `the device ${name} could not be set up`;
}

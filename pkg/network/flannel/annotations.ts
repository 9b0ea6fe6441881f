import type { Node } from '../../api/generated/core-v1.ts';
import { parseAddress } from '../../base/ip.ts';

/** What flannel tells of a node through the Node's annotations; names and forms are upstream flannel's. */

const PREFIX = 'flannel.alpha.coreos.com';
const BACKEND_TYPE = `${PREFIX}/backend-type`;
const BACKEND_DATA = `${PREFIX}/backend-data`;
const PUBLIC_IP = `${PREFIX}/public-ip`;
const MANAGED = `${PREFIX}/kube-subnet-manager`;
/** Set by an operator whose node is reached at another address than its own: behind NAT, in a cloud. */
const PUBLIC_IP_OVERWRITE = `${PREFIX}/public-ip-overwrite`;

/** How packets for Pods of other nodes travel: wrapped in VXLAN, routed by the nodes themselves, or not by kedge. */
export type FlannelBackend = 'vxlan' | 'host-gw' | 'none';

/** A node's part of the network between nodes, as it announces it. */
export interface Announcement {
  readonly backend: string;
  /** The address other nodes send to. */
  readonly publicIP: string;
  /** Hardware address of its VXLAN device; undefined for other backends. */
  readonly vtepMAC: string | undefined;
}

const HARDWARE_ADDRESS = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** What the node announces; undefined when it has announced nothing yet, or nothing that makes sense. */
export function announcementOf({ metadata: { annotations = {} } }: Node): Announcement | undefined {
  const backend = annotations[BACKEND_TYPE];
  const publicIP = annotations[PUBLIC_IP] ?? '';
  if (annotations[MANAGED] !== 'true' || backend === undefined || parseAddress(publicIP)?.family !== 4)
    return undefined;
  const vtepMAC = vtepMACOf(annotations[BACKEND_DATA]);
  if (backend === 'vxlan' && vtepMAC === undefined) return undefined;
  return { backend, publicIP, vtepMAC };
}

function vtepMACOf(data: string | undefined): string | undefined {
  try {
    const { VtepMAC } = JSON.parse(data ?? 'null') as { VtepMAC?: unknown };
    const mac = typeof VtepMAC === 'string' ? VtepMAC.toLowerCase() : '';
    return HARDWARE_ADDRESS.test(mac) ? mac : undefined;
  } catch {
    // The text is another node's: whatever is wrong with it, it names no hardware address.
    return undefined;
  }
}

/** The annotations that make `own` announce itself so; those it has already are left out. */
export function announce(
  own: Node,
  backend: 'vxlan' | 'host-gw',
  address: string,
  vtepMAC: string | undefined,
): Record<string, string> {
  const { annotations = {} } = own.metadata;
  const overwrite = annotations[PUBLIC_IP_OVERWRITE] ?? '';
  const wanted: Record<string, string> = {
    [BACKEND_TYPE]: backend,
    [BACKEND_DATA]: vtepMAC === undefined ? 'null' : JSON.stringify({ VNI: 1, VtepMAC: vtepMAC }),
    [PUBLIC_IP]: parseAddress(overwrite)?.family === 4 ? overwrite : address,
    [MANAGED]: 'true',
  };
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => annotations[name] !== value));
}

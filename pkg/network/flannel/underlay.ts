import { OperatorError } from '../../base/component.ts';
import { defaultRouteDevice } from '../../host/node-address.ts';
import type { Link } from './links.ts';

/** The device, and the address on it, by which this node reaches the others. */
export interface Underlay {
  readonly device: string;
  readonly address: string;
  /** Bytes. */
  readonly mtu: number;
}

export interface UnderlayInput {
  readonly links: readonly Link[];
  /** The node's addresses. */
  readonly nodeIPs: readonly string[];
  /** The device the operator wants; the one with the node's address unless given. */
  readonly iface: string | undefined;
  /** The text of /proc/net/route. */
  readonly routes: string;
}

/**
 * The device the operator named, else that with the node's address, else that of the default route (a node whose address
 * is not on any device of its own). Undefined when there is none, or it has no IPv4 address now.
 */
export function chooseUnderlay({ links, nodeIPs, iface, routes }: UnderlayInput): Underlay | undefined {
  const byName = (name: string | undefined): Link | undefined => links.find(({ ifname }) => ifname === name);
  const link =
    iface === undefined
      ? (links.find((candidate) => addressesOf(candidate).some((address) => nodeIPs.includes(address))) ??
        byName(defaultRouteDevice(routes)))
      : byName(iface);
  if (link === undefined) return undefined;
  const addresses = addressesOf(link);
  const address = addresses.find((candidate) => nodeIPs.includes(candidate)) ?? addresses[0];
  return address === undefined ? undefined : { device: link.ifname, address, mtu: link.mtu };
}

function addressesOf({ addr_info }: Link): string[] {
  return addr_info.flatMap(({ family, scope, local }) =>
    family === 'inet' && scope === 'global' && local !== undefined ? [local] : [],
  );
}

/** Throws OperatorError when the device the operator named cannot lead to other nodes. */
export function refuseInterface(iface: string, links: readonly Link[]): void {
  const link = links.find(({ ifname }) => ifname === iface);
  if (link === undefined) {
    const names = links.map(({ ifname }) => ifname).filter((name) => name !== 'lo');
    throw new OperatorError(`--flannel-iface: this machine has no device ${iface}: give one of ${names.join(', ')}`);
  }
  if (addressesOf(link).length === 0) {
    throw new OperatorError(`--flannel-iface: ${iface} has no IPv4 address: give it one, or name another device`);
  }
}

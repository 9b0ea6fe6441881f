import { readFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Devices that containers and tunnels bring: their addresses do not name the host. */
const VIRTUAL = /^(lo|cni|veth|docker|br-|flannel|kube-|virbr|cali|cilium|tun|wg)/;

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** The device of the IPv4 default route with the lowest metric, from the text of /proc/net/route. */
export function defaultRouteDevice(routes: string): string | undefined {
  const defaults = routes
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1] === '00000000' && fields[7] === '00000000')
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  return defaults[0]?.[0];
}

/**
 * The address other machines reach this host at: that of the default route's device, else the first of a physical
 * device; undefined when the host has none. A default route is not required.
 */
export function chooseNodeAddress(interfaces: Interfaces, routes: string): string | undefined {
  const device = defaultRouteDevice(routes);
  const names = Object.keys(interfaces).filter((name) => !VIRTUAL.test(name));
  const ordered = device === undefined ? names : [device, ...names.filter((name) => name !== device)];
  for (const name of ordered) {
    const found = interfaces[name]?.find(
      ({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'),
    );
    if (found !== undefined) return found.address;
  }
  return undefined;
}

/** The node address of this host as it is now. */
export function detectNodeAddress(): string | undefined {
  return chooseNodeAddress(networkInterfaces(), readFileSync('/proc/net/route', 'utf8'));
}

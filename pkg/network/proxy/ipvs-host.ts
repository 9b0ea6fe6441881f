import { containsAddress, parseAddress, parseCIDR } from '../../base/ip.ts';
import { ExecError } from '../../host/exec.ts';
import { IpSetKeeper } from '../../host/ipset.ts';
import { findIptables, IptablesKeeper } from '../../host/iptables.ts';
import { IpvsKeeper, type ListedServer, READ_SERVERS } from '../../host/ipvs.ts';
import type { RunProgram } from '../../host/nft.ts';
import { IPVS_CHAIN_PREFIX, IPVS_DEVICE } from '../names.ts';
import { ARRIVED_MARK, setPrefix } from './ipvs-plan.ts';

/** The parts of IPVS mode on a machine beside sets, rules and virtual servers, and taking all of it away. */

/** Where packets with ARRIVED_MARK are routed: a table with one route, which delivers all to this machine. */
const ARRIVED_TABLE = '27500';
const ARRIVED_PREFERENCE = '500';
const TABLES = ['mangle', 'nat', 'filter'] as const;

/** Makes the device, and the whole Service CIDR addresses of this machine by it. */
export async function ensureIpvsDevice(family: 4 | 6, serviceCIDR: string, run: RunProgram): Promise<void> {
  const hasDevice = await hasIpvsDevice(run);
  // The kernel takes the route away when the device goes down.
  if (hasDevice && (await routedCIDRs(family, run)).includes(serviceCIDR)) return;
  if (!hasDevice) await run(['ip', 'link', 'add', IPVS_DEVICE, 'type', 'dummy']);
  await run(['ip', 'link', 'set', IPVS_DEVICE, 'up']);
  await run(['ip', `-${family}`, 'route', 'replace', 'local', serviceCIDR, 'dev', IPVS_DEVICE]);
}

/** Delivers packets with ARRIVED_MARK to this machine, whoever has their address. */
export async function ensureArrivedRoute(family: 4 | 6, run: RunProgram): Promise<void> {
  const hasRule = await hasArrivedRule(family, run);
  if (hasRule && (await hasArrivedRoute(family, run))) return;
  await run(['ip', `-${family}`, 'route', 'replace', 'local', 'default', 'dev', 'lo', 'table', ARRIVED_TABLE]);
  if (hasRule) return;
  const match = ['pref', ARRIVED_PREFERENCE, 'fwmark', `${ARRIVED_MARK}/${ARRIVED_MARK}`];
  await run(['ip', `-${family}`, 'rule', 'add', ...match, 'lookup', ARRIVED_TABLE]);
}

export async function hasIpvsDevice(run: RunProgram): Promise<boolean> {
  const links = parseJson<{ ifname?: string }>(await run(['ip', '-json', 'link', 'show']));
  return links.some(({ ifname }) => ifname === IPVS_DEVICE);
}

/**
 * Takes away all that IPVS mode, of this process or of a former one, has left on the machine. Virtual servers, sets and
 * rules of others stay, and a device of this name that leads to no Service CIDR: upstream's kube-proxy has one, too.
 * Resolves to whether there was anything.
 */
export async function removeIpvs(run: RunProgram): Promise<boolean> {
  const hasDevice = await hasIpvsDevice(run);
  let found = false;
  let ownDevice = false;
  for (const family of [4, 6] as const) {
    const sets = new IpSetKeeper(setPrefix(family), run);
    const entries = await presentEntries(sets);
    const serviceCIDRs = hasDevice ? await routedCIDRs(family, run) : [];
    if (await removeArrivedRoute(family, run)) found = true;
    if (entries === undefined && serviceCIDRs.length === 0) continue;
    found = true;
    ownDevice = hasDevice;
    const owned = (server: ListedServer): boolean =>
      serviceCIDRs.some((cidr) => isWithin(server, cidr)) || entries?.has(entryOf(server)) === true;
    await removeServers(new IpvsKeeper(run, owned, () => false), run);
    const programs = await findIptables(family, run);
    if (programs !== undefined) await new IptablesKeeper(programs, IPVS_CHAIN_PREFIX, run).remove(TABLES);
    if (entries !== undefined) await sets.remove();
  }
  // Last: it tells a next try that there is something left.
  if (ownDevice) await run(['ip', 'link', 'delete', IPVS_DEVICE]);
  return found;
}

async function removeServers(servers: IpvsKeeper, run: RunProgram): Promise<void> {
  try {
    await run(READ_SERVERS);
  } catch (error) {
    // Another kernel by now: virtual servers went with the former one.
    if (error instanceof ExecError) return;
    throw error;
  }
  await servers.remove();
}

/** What the sets of ours hold; undefined when there are none. */
async function presentEntries(sets: IpSetKeeper): Promise<Set<string> | undefined> {
  try {
    const present = await sets.read();
    return present.size === 0 ? undefined : new Set([...present.values()].flatMap((entries) => [...entries]));
  } catch (error) {
    // No ipset on this machine, or in its kernel: then no sets either.
    if (error instanceof ExecError) return undefined;
    throw error;
  }
}

async function routedCIDRs(family: 4 | 6, run: RunProgram): Promise<string[]> {
  // Not the kernel's own for multicast.
  const show = ['route', 'show', 'table', 'local', 'type', 'local', 'dev', IPVS_DEVICE];
  const routes = parseJson<{ dst?: string }>(await run(['ip', '-json', `-${family}`, ...show]));
  return routes.flatMap(({ dst }) => dst ?? []).filter((dst) => dst.includes('/'));
}

async function hasArrivedRule(family: 4 | 6, run: RunProgram): Promise<boolean> {
  const rules = parseJson<{ table?: string }>(await run(['ip', '-json', `-${family}`, 'rule', 'show']));
  return rules.some(({ table }) => table === ARRIVED_TABLE);
}

async function hasArrivedRoute(family: 4 | 6, run: RunProgram): Promise<boolean> {
  try {
    return parseJson(await run(['ip', '-json', `-${family}`, 'route', 'show', 'table', ARRIVED_TABLE])).length > 0;
  } catch (error) {
    // A table that never had a route is none.
    if (error instanceof ExecError) return false;
    throw error;
  }
}

async function removeArrivedRoute(family: 4 | 6, run: RunProgram): Promise<boolean> {
  if (!(await hasArrivedRule(family, run))) return false;
  await run(['ip', `-${family}`, 'rule', 'delete', 'lookup', ARRIVED_TABLE]);
  await run(['ip', `-${family}`, 'route', 'flush', 'table', ARRIVED_TABLE]);
  return true;
}

function parseJson<T>(text: string): readonly T[] {
  return text.trim() === '' ? [] : (JSON.parse(text) as T[]);
}

/** Address and port of a virtual server in the notation of sets: `10.43.0.1,tcp:443`. */
export function entryOf({ protocol, address }: ListedServer): string {
  const end = address.lastIndexOf(':');
  return `${address.slice(0, end).replaceAll(/[[\]]/g, '')},${protocol}:${address.slice(end + 1)}`;
}

export function isWithin({ address }: ListedServer, text: string): boolean {
  const cidr = parseCIDR(text);
  const found = parseAddress(address.slice(0, address.lastIndexOf(':')).replaceAll(/[[\]]/g, ''));
  return cidr !== undefined && found !== undefined && containsAddress(cidr, found);
}

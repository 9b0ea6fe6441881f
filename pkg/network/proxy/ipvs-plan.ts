import { createHash } from 'node:crypto';
import { formatAddress, formatCIDR, parseAddress, parseCIDR } from '../../base/ip.ts';
import type { IpSet, IpSets } from '../../host/ipset.ts';
import type { IptablesTable } from '../../host/iptables.ts';
import { serverKey, type VirtualServer } from '../../host/ipvs.ts';
import { IPVS_CHAIN_PREFIX, IPVS_SET_PREFIX } from '../names.ts';
import type { Backends, ExternalAddress, Ruleset, ServiceEndpoint, VirtualService } from './ruleset.ts';

/** What the kernel has to hold for a ruleset in IPVS mode. */
export interface IpvsPlan {
  readonly servers: ReadonlyMap<string, VirtualServer>;
  readonly sets: IpSets;
  readonly tables: readonly IptablesTable[];
  /** Whether Services have addresses that are not this node's: packets with ARRIVED_MARK are to be delivered here. */
  readonly hasAddressesElsewhere: boolean;
}

export interface IpvsFacts {
  /** The node's own addresses, without loopback and without cluster IPs: where node ports listen. */
  readonly nodeAddresses: readonly string[];
  /** Addresses of the Service CIDR that this node answers by itself (cluster DNS). */
  readonly servedHere: readonly string[];
}

/** The bit of a packet's mark that asks for masquerading; upstream kube-proxy's. */
const MASQUERADE_MARK = '0x4000';
/** The bit of packets that go to an external address of a Service, which is not this node's. */
export const ARRIVED_MARK = '0x2000';
const LOOPBACK = '127.0.0.1';
const SET_TYPES = {
  /** Has a virtual server. */
  SERVED: 'hash:ip,port',
  /** Nobody serves it: connections are refused, or dropped. */
  REFUSED: 'hash:ip,port',
  DROPPED: 'hash:ip,port',
  /** Requests are masqueraded. */
  MASQUERADE: 'hash:ip,port',
  /** Where Pods and the node itself are sent by address translation, to all endpoints (see `#translate`). */
  TRANSLATE: 'hash:ip,port',
  /** External addresses that are not this node's. */
  ELSEWHERE: 'hash:ip,port',
  /** Only for some sources, which ALLOWED lists. */
  RESTRICTED: 'hash:ip,port',
  ALLOWED: 'hash:ip,port,net',
  /** Endpoint, port, endpoint: a Pod that gets itself as its Service's endpoint. */
  HAIRPIN: 'hash:ip,port,ip',
} as const;
type SetName = keyof typeof SET_TYPES;

export function setPrefix(family: 4 | 6): string {
  return family === 4 ? IPVS_SET_PREFIX : IPVS_SET_PREFIX.replace(/-$/, '6-');
}

/**
 * Plans virtual servers, sets and rules of one ruleset after another. Endpoints change nothing but virtual servers and
 * one set. Services that are the same objects as in the last ruleset are not looked into.
 */
export class IpvsPlanner {
  #known = new WeakMap<VirtualService, ServiceParts>();
  #facts = '';

  plan(ruleset: Ruleset, facts: IpvsFacts): IpvsPlan {
    const text = JSON.stringify([ruleset.family, facts]);
    if (text !== this.#facts) this.#known = new WeakMap();
    this.#facts = text;
    const nodeAddresses = new Set(facts.nodeAddresses);
    const entries = Object.fromEntries(Object.keys(SET_TYPES).map((name) => [name, new Set<string>()])) as Record<
      SetName,
      Set<string>
    >;
    const servers = new Map<string, VirtualServer>();
    const chains = new Map<string, readonly string[]>();
    const translations: string[] = [];
    const taken = new Set<string>();
    for (const service of ruleset.services) {
      let parts = this.#known.get(service);
      if (parts === undefined) {
        parts = new ServiceParts(ruleset.family, service, nodeAddresses);
        this.#known.set(service, parts);
      }
      for (const claim of parts.claims) {
        // Another Service may have the address and port: the first one keeps it.
        if (taken.has(claim.entry)) continue;
        taken.add(claim.entry);
        for (const [set, entry] of claim.members) entries[set].add(entry);
        if (claim.server !== undefined) servers.set(serverKey(claim.server), claim.server);
        if (claim.translation === undefined) continue;
        translations.push(claim.translation);
        for (const [name, rules] of parts.chains) chains.set(name, rules);
      }
    }
    return {
      servers,
      sets: renderSets(ruleset.family, entries),
      tables: renderTables(ruleset, facts, translations, chains),
      hasAddressesElsewhere: entries.ELSEWHERE.size > 0,
    };
  }
}

/** What a Service wants at one address and port. */
interface Claim {
  /** Address and port, by their name in sets. */
  readonly entry: string;
  readonly members: [set: SetName, entry: string][];
  server?: VirtualServer;
  /** A rule of the chain of translations; it leads to chains of the Service. */
  translation?: string;
}

/** What one port of a Service asks for. */
class ServiceParts {
  readonly claims: Claim[] = [];
  readonly chains = new Map<string, readonly string[]>();
  readonly #service: VirtualService;
  readonly #nodeAddresses: ReadonlySet<string>;

  constructor(family: 4 | 6, service: VirtualService, nodeAddresses: ReadonlySet<string>) {
    this.#service = service;
    this.#nodeAddresses = nodeAddresses;
    const { port, clusterIP, nodePort, externalAddresses } = service;
    if (clusterIP !== undefined) this.#serve(this.#claim(clusterIP, port), clusterIP, port, service.internal);
    for (const outside of externalAddresses) this.#external(outside, port);
    if (nodePort === undefined) return;
    for (const address of nodeAddresses) this.#external({ address, allowedSources: undefined }, nodePort);
    if (family !== 4) return;
    const claim = this.#claim(LOOPBACK, nodePort);
    if (service.cluster.length === 0) claim.members.push(['REFUSED', claim.entry]);
    else this.#translate(claim, LOOPBACK, nodePort);
  }

  #claim(address: string, port: number): Claim {
    const claim = { entry: `${normalAddress(address)},${this.#service.protocol}:${port}`, members: [] };
    this.claims.push(claim);
    return claim;
  }

  #external(outside: ExternalAddress, port: number): void {
    const service = this.#service;
    const address = normalAddress(outside.address);
    const claim = this.#claim(address, port);
    if (!this.#nodeAddresses.has(address)) claim.members.push(['ELSEWHERE', claim.entry]);
    if (service.cluster.length > 0) {
      restrict(claim, outside);
      if (service.externalLocal) this.#translate(claim, address, port);
      else claim.members.push(['MASQUERADE', claim.entry]);
    }
    this.#serve(claim, address, port, service.external);
  }

  #serve(claim: Claim, address: string, port: number, { endpoints, otherwise }: Backends): void {
    if (endpoints.length === 0) {
      claim.members.push([otherwise === 'drop' ? 'DROPPED' : 'REFUSED', claim.entry]);
      return;
    }
    this.#hairpin(claim, endpoints);
    claim.members.push(['SERVED', claim.entry]);
    claim.server = {
      protocol: this.#service.protocol,
      address: withPort(address, port),
      persistenceSeconds: this.#service.affinitySeconds,
      realServers: new Set(endpoints.map((endpoint) => withPort(endpoint.address, endpoint.port))),
    };
  }

  /**
   * Where IPVS cannot do it: what comes from 127.0.0.1 it drops, and with externalTrafficPolicy Local one address has
   * two sets of endpoints, this node's for the world, all for Pods and the node itself. Those are sent by rules.
   */
  #translate(claim: Claim, address: string, port: number): void {
    const { protocol, key, cluster } = this.#service;
    claim.members.push(['TRANSLATE', claim.entry]);
    this.#hairpin(claim, cluster);
    const chain = this.#endpointChain(this.#service);
    const comment = `-m comment --comment "${key}"`;
    claim.translation = `-d ${address} -p ${protocol} -m ${protocol} --dport ${port} ${comment} -g ${chain}`;
  }

  #endpointChain({ key, protocol, cluster, affinitySeconds }: VirtualService): string {
    const name = `${IPVS_CHAIN_PREFIX}TO-${shortHash(key)}`;
    if (this.chains.has(name)) return name;
    const rules: string[] = [];
    const targets = cluster.map(({ address, port }) => {
      const translate = `-p ${protocol} -j DNAT --to-destination ${withPort(address, port)}`;
      if (affinitySeconds === undefined) return translate;
      // The kernel's lists of recent clients; named like the chain that a client is sent to.
      const chain = `${IPVS_CHAIN_PREFIX}EP-${shortHash(`${key} ${address} ${port}`)}`;
      this.chains.set(chain, [`-m recent --name ${chain} --set --rsource`, translate]);
      rules.push(`-m recent --name ${chain} --rcheck --seconds ${affinitySeconds} --reap --rsource -g ${chain}`);
      return `-g ${chain}`;
    });
    targets.forEach((target, index) => {
      const left = targets.length - index;
      const chance = left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `;
      rules.push(`${chance}${target}`);
    });
    this.chains.set(name, rules);
    return name;
  }

  #hairpin(claim: Claim, endpoints: readonly ServiceEndpoint[]): void {
    for (const { address, port, local } of endpoints) {
      if (!local) continue;
      const pod = normalAddress(address);
      claim.members.push(['HAIRPIN', `${pod},${this.#service.protocol}:${port},${pod}`]);
    }
  }
}

function restrict({ entry, members }: Claim, { allowedSources }: ExternalAddress): void {
  if (allowedSources === undefined) return;
  const ranges = allowedSources.flatMap((range) => parseCIDR(range) ?? []);
  // A set has no place for the range of everything, which is no restriction anyway.
  if (ranges.some(({ prefix }) => prefix === 0)) return;
  members.push(['RESTRICTED', entry]);
  for (const range of ranges) {
    const single = range.prefix === (range.family === 4 ? 32 : 128);
    const text = single ? formatAddress({ family: range.family, value: range.base }) : formatCIDR(range);
    members.push(['ALLOWED', `${entry},${text}`]);
  }
}

function renderSets(family: 4 | 6, entries: Readonly<Record<SetName, ReadonlySet<string>>>): IpSets {
  return new Map(
    Object.entries(SET_TYPES).map(([name, type]): [string, IpSet] => [
      `${setPrefix(family)}${name}`,
      { type, family, entries: entries[name as SetName] },
    ]),
  );
}

function renderTables(
  { clusterCIDR, serviceCIDR, family }: Ruleset,
  facts: IpvsFacts,
  translations: readonly string[],
  chains: ReadonlyMap<string, readonly string[]>,
): IptablesTable[] {
  const chain = (name: string): string => `${IPVS_CHAIN_PREFIX}${name}`;
  const inSet = (name: SetName, fields = 'dst,dst'): string =>
    `-m set --match-set ${setPrefix(family)}${name} ${fields}`;
  const isNew = '-m conntrack --ctstate NEW';
  const mark = (value: string): string => `-j MARK --set-xmark ${value}/${value}`;
  const nat = new Map<string, readonly string[]>([
    [
      chain('SERVICES'),
      [
        `${inSet('TRANSLATE')} -j ${chain('TRANSLATE')}`,
        `${inSet('MASQUERADE')} ${mark(MASQUERADE_MARK)}`,
        `-d ${serviceCIDR} ! -s ${clusterCIDR} ${inSet('SERVED')} ${mark(MASQUERADE_MARK)}`,
      ],
    ],
    [
      chain('TRANSLATE'),
      [
        `-s ${clusterCIDR} -g ${chain('TO')}`,
        `-m addrtype --src-type LOCAL ${mark(MASQUERADE_MARK)}`,
        `-m addrtype --src-type LOCAL -g ${chain('TO')}`,
      ],
    ],
    [chain('TO'), translations],
    ...chains,
    [
      chain('POSTROUTING'),
      [
        `${inSet('HAIRPIN', 'dst,dst,src')} -j MASQUERADE`,
        `-m mark ! --mark ${MASQUERADE_MARK}/${MASQUERADE_MARK} -j RETURN`,
        `-j MARK --set-xmark 0x0/${MASQUERADE_MARK}`,
        '-j MASQUERADE',
      ],
    ],
  ]);
  const mangle = new Map<string, readonly string[]>([
    [
      chain('SOURCES'),
      [`${isNew} ${inSet('RESTRICTED')} -m set ! --match-set ${setPrefix(family)}ALLOWED dst,dst,src -j DROP`],
    ],
    [chain('ARRIVE'), [`${inSet('ELSEWHERE')} ${mark(ARRIVED_MARK)}`]],
    [chain('ARRIVED'), [`-m mark --mark ${ARRIVED_MARK}/${ARRIVED_MARK} -j MARK --set-xmark 0x0/${ARRIVED_MARK}`]],
  ]);
  const filter = new Map<string, readonly string[]>([
    [
      chain('REFUSE'),
      [
        `${isNew} ${inSet('REFUSED')} -j REJECT`,
        `${isNew} ${inSet('DROPPED')} -j DROP`,
        ...facts.servedHere.map((address) => `-d ${address} -j RETURN`),
        `-d ${serviceCIDR} ${isNew} ${inSet('SERVED').replace('--match', '! --match')} -j REJECT`,
      ],
    ],
    // Services are reached whatever the host's firewall lets through to the host itself.
    [chain('INPUT'), [`-j ${chain('REFUSE')}`, `${inSet('SERVED')} -j ACCEPT`]],
  ]);
  return [
    {
      name: 'mangle',
      chains: mangle,
      jumps: [
        ['PREROUTING', chain('SOURCES')],
        ['PREROUTING', chain('ARRIVE')],
        ['INPUT', chain('ARRIVED')],
        ['OUTPUT', chain('SOURCES')],
      ],
    },
    {
      name: 'nat',
      chains: nat,
      jumps: [
        ['PREROUTING', chain('SERVICES')],
        ['OUTPUT', chain('SERVICES')],
        ['POSTROUTING', chain('POSTROUTING')],
      ],
    },
    {
      name: 'filter',
      chains: filter,
      jumps: [
        ['INPUT', chain('INPUT')],
        ['OUTPUT', chain('REFUSE')],
      ],
    },
  ];
}

/** The kernel's own notation: Services may say `FD00:0::1`. */
function normalAddress(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
}

function withPort(address: string, port: number): string {
  const normal = normalAddress(address);
  return normal.includes(':') ? `[${normal}]:${port}` : `${normal}:${port}`;
}

/** Names of chains have 28 characters at most. */
function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 13).toUpperCase();
}

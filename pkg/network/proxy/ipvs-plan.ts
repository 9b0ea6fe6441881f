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

/** Virtual servers, sets and rules of a ruleset. Endpoints change nothing but virtual servers and one set. */
export function planIpvs(ruleset: Ruleset, facts: IpvsFacts): IpvsPlan {
  return new Planner(ruleset, facts).plan();
}

class Planner {
  readonly #ruleset: Ruleset;
  readonly #facts: IpvsFacts;
  readonly #servers = new Map<string, VirtualServer>();
  readonly #entries: Readonly<Record<SetName, Set<string>>>;
  readonly #chains = new Map<string, readonly string[]>();
  readonly #translations: string[] = [];
  readonly #taken = new Set<string>();
  readonly #nodeAddresses: ReadonlySet<string>;

  constructor(ruleset: Ruleset, facts: IpvsFacts) {
    this.#ruleset = ruleset;
    this.#facts = facts;
    this.#nodeAddresses = new Set(facts.nodeAddresses);
    this.#entries = Object.fromEntries(Object.keys(SET_TYPES).map((name) => [name, new Set()])) as unknown as Record<
      SetName,
      Set<string>
    >;
  }

  plan(): IpvsPlan {
    for (const service of this.#ruleset.services) this.#service(service);
    return {
      servers: this.#servers,
      sets: this.#sets(),
      tables: this.#tables(),
      hasAddressesElsewhere: this.#entries.ELSEWHERE.size > 0,
    };
  }

  #service(service: VirtualService): void {
    const { protocol, port, clusterIP, nodePort, externalAddresses } = service;
    if (clusterIP !== undefined) {
      const entry = this.#take(clusterIP, service, port);
      if (entry !== undefined) this.#serve(entry, clusterIP, port, service, service.internal);
    }
    for (const outside of externalAddresses) this.#external(outside, port, service);
    if (nodePort === undefined) return;
    for (const address of this.#nodeAddresses)
      this.#external({ address, allowedSources: undefined }, nodePort, service);
    if (this.#ruleset.family !== 4) return;
    const entry = `${LOOPBACK},${protocol}:${nodePort}`;
    if (service.cluster.length === 0) this.#entries.REFUSED.add(entry);
    else this.#translate(entry, LOOPBACK, nodePort, service);
  }

  #external(outside: ExternalAddress, port: number, service: VirtualService): void {
    const address = normalAddress(outside.address);
    const entry = this.#take(address, service, port);
    if (entry === undefined) return;
    if (!this.#nodeAddresses.has(address)) this.#entries.ELSEWHERE.add(entry);
    if (service.cluster.length > 0) {
      this.#restrict(entry, outside);
      if (service.externalLocal) this.#translate(entry, address, port, service);
      else this.#entries.MASQUERADE.add(entry);
    }
    this.#serve(entry, address, port, service, service.external);
  }

  /** The name of an address and port in sets; undefined when another Service has it: the first one keeps it. */
  #take(address: string, { protocol }: VirtualService, port: number): string | undefined {
    const entry = `${normalAddress(address)},${protocol}:${port}`;
    if (this.#taken.has(entry)) return undefined;
    this.#taken.add(entry);
    return entry;
  }

  #serve(entry: string, address: string, port: number, service: VirtualService, backends: Backends): void {
    const { endpoints, otherwise } = backends;
    if (endpoints.length === 0) {
      this.#entries[otherwise === 'drop' ? 'DROPPED' : 'REFUSED'].add(entry);
      return;
    }
    this.#hairpin(service, endpoints);
    this.#entries.SERVED.add(entry);
    const server: VirtualServer = {
      protocol: service.protocol,
      address: withPort(address, port),
      persistenceSeconds: service.affinitySeconds,
      realServers: new Set(endpoints.map((endpoint) => withPort(endpoint.address, endpoint.port))),
    };
    this.#servers.set(serverKey(server), server);
  }

  #restrict(entry: string, { allowedSources }: ExternalAddress): void {
    if (allowedSources === undefined) return;
    const ranges = allowedSources.flatMap((range) => parseCIDR(range) ?? []);
    // A set has no place for the range of everything, which is no restriction anyway.
    if (ranges.some(({ prefix }) => prefix === 0)) return;
    this.#entries.RESTRICTED.add(entry);
    for (const range of ranges) {
      const single = range.prefix === (range.family === 4 ? 32 : 128);
      const text = single ? formatAddress({ family: range.family, value: range.base }) : formatCIDR(range);
      this.#entries.ALLOWED.add(`${entry},${text}`);
    }
  }

  /**
   * Where IPVS cannot do it: what comes from 127.0.0.1 it drops, and with externalTrafficPolicy Local one address has
   * two sets of endpoints, this node's for the world, all for Pods and the node itself. Those are sent by rules.
   */
  #translate(entry: string, address: string, port: number, service: VirtualService): void {
    const { protocol, key } = service;
    this.#entries.TRANSLATE.add(entry);
    this.#hairpin(service, service.cluster);
    const chain = this.#endpointChain(service);
    const comment = `-m comment --comment "${key}"`;
    this.#translations.push(`-d ${address} -p ${protocol} -m ${protocol} --dport ${port} ${comment} -g ${chain}`);
  }

  #endpointChain({ key, protocol, cluster, affinitySeconds }: VirtualService): string {
    const name = `${IPVS_CHAIN_PREFIX}TO-${shortHash(key)}`;
    if (this.#chains.has(name)) return name;
    const rules: string[] = [];
    const targets = cluster.map(({ address, port }) => {
      const translate = `-p ${protocol} -j DNAT --to-destination ${withPort(address, port)}`;
      if (affinitySeconds === undefined) return translate;
      // The kernel's lists of recent clients; named like the chain that a client is sent to.
      const chain = `${IPVS_CHAIN_PREFIX}EP-${shortHash(`${key} ${address} ${port}`)}`;
      this.#chains.set(chain, [`-m recent --name ${chain} --set --rsource`, translate]);
      rules.push(`-m recent --name ${chain} --rcheck --seconds ${affinitySeconds} --reap --rsource -g ${chain}`);
      return `-g ${chain}`;
    });
    targets.forEach((target, index) => {
      const left = targets.length - index;
      const chance = left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `;
      rules.push(`${chance}${target}`);
    });
    this.#chains.set(name, rules);
    return name;
  }

  #hairpin({ protocol }: VirtualService, endpoints: readonly ServiceEndpoint[]): void {
    for (const { address, port, local } of endpoints) {
      if (local) this.#entries.HAIRPIN.add(`${normalAddress(address)},${protocol}:${port},${normalAddress(address)}`);
    }
  }

  #sets(): IpSets {
    const { family } = this.#ruleset;
    return new Map(
      Object.entries(SET_TYPES).map(([name, type]): [string, IpSet] => [
        `${setPrefix(family)}${name}`,
        { type, family, entries: this.#entries[name as SetName] },
      ]),
    );
  }

  #tables(): IptablesTable[] {
    const { clusterCIDR, serviceCIDR, family } = this.#ruleset;
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
      [chain('TO'), this.#translations],
      ...this.#chains,
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
          ...this.#facts.servedHere.map((address) => `-d ${address} -j RETURN`),
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

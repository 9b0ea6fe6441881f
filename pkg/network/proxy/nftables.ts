import { NftTableKeeper, type RunProgram } from '../../host/nft.ts';
import type { NftChain, NftSet, NftTable } from '../../host/nft-table.ts';
import { PROXY_TABLE } from '../names.ts';
import type { Backends, ExternalAddress, Protocol, Ruleset, ServiceEndpoint, VirtualService } from './ruleset.ts';
import type { ServiceActor } from './service-actor.ts';

/** The bit of a packet's mark that asks for masquerading; upstream kube-proxy's. */
const MASQUERADE_MARK = '0x4000';
const WITHOUT_MARK = '0xffffbfff';

/** Carries rulesets out with one nft table. */
export class NftablesActor implements ServiceActor {
  readonly draining = false;
  readonly #renderer: NftablesRenderer;
  readonly #keeper: NftTableKeeper;

  constructor(family: 4 | 6, tableName: string, run: RunProgram) {
    this.#renderer = new NftablesRenderer(tableName);
    this.#keeper = new NftTableKeeper(family === 4 ? 'ip' : 'ip6', tableName, run);
  }

  apply(ruleset: Ruleset): Promise<number> {
    return this.#keeper.apply(this.#renderer.render(ruleset));
  }

  async inspect(): Promise<void> {
    if (!(await this.#keeper.exists())) this.#keeper.forget();
  }

  remove(): Promise<void> {
    return this.#keeper.remove();
  }
}

/**
 * The nft table that carries a ruleset out. A packet finds its Service by one look-up in a verdict map, whatever the
 * number of Services; a Service's chain picks an endpoint at random. Chains are named after what they serve:
 * `svc/` every endpoint, `local/` those of this node, `ext/` requests from outside, `lb/` a balancer's allowed
 * sources, `ep/` one endpoint that clients stay with. What is the same as in the last table is the same object.
 */
export class NftablesRenderer {
  readonly #tableName: string;
  #frame: Frame | undefined;
  #known = new WeakMap<VirtualService, ServiceRules>();

  constructor(tableName: string = PROXY_TABLE) {
    this.#tableName = tableName;
  }

  render(ruleset: Ruleset): NftTable {
    const { family, clusterCIDR, serviceCIDR } = ruleset;
    const frame = this.#frameOf({ family, clusterCIDR, serviceCIDR });
    const maps: Record<PortMap, Map<string, string>> = {
      'service-ips': new Map(),
      'node-ports': new Map(),
      'refused-ips': new Map(),
      'refused-node-ports': new Map(),
    };
    const hairpin = new Map<string, string>();
    const sets = new Map<string, NftSet>();
    for (const [name, elements] of Object.entries(maps)) {
      sets.set(name, { kind: 'map', type: name.endsWith('-ips') ? frame.byAddress : frame.byPort, elements });
    }
    sets.set('hairpin', { kind: 'set', type: frame.pair, elements: hairpin });
    const chains = new Map(frame.chains);
    for (const service of ruleset.services) {
      const rules = this.#rulesOf(service, frame);
      for (const { map, rival, key, verdict } of rules.ports) {
        // Two Services may ask for one external address and port: the first has it.
        if (!maps[map].has(key) && !maps[rival].has(key)) maps[map].set(key, verdict);
      }
      for (const pair of rules.hairpin) hairpin.set(pair, '');
      for (const [name, set] of rules.sets) sets.set(name, set);
      for (const [name, chain] of rules.chains) chains.set(name, chain);
    }
    return { family: frame.ip, name: this.#tableName, sets, chains };
  }

  #rulesOf(service: VirtualService, { ip, settings }: Frame): ServiceRules {
    const known = this.#known.get(service);
    if (known !== undefined) return known;
    const rules = new ServiceRenderer(ip, settings.clusterCIDR, service).rules();
    this.#known.set(service, rules);
    return rules;
  }

  #frameOf(settings: FrameSettings): Frame {
    const before = this.#frame;
    if (before !== undefined && JSON.stringify(before.settings) === JSON.stringify(settings)) return before;
    this.#known = new WeakMap();
    this.#frame = renderFrame(settings);
    return this.#frame;
  }
}

type FrameSettings = Pick<Ruleset, 'family' | 'clusterCIDR' | 'serviceCIDR'>;

/** What is there whatever Services there are: the types of the maps, and the chains at netfilter's hooks. */
interface Frame {
  readonly settings: FrameSettings;
  readonly ip: 'ip' | 'ip6';
  readonly byAddress: string;
  readonly byPort: string;
  readonly pair: string;
  readonly chains: ReadonlyMap<string, NftChain>;
}

function renderFrame(settings: FrameSettings): Frame {
  const { family, clusterCIDR, serviceCIDR } = settings;
  const ip = family === 4 ? 'ip' : 'ip6';
  const address = ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  const chains = new Map<string, NftChain>();
  const chain = (name: string, hook: string | undefined, ...rules: string[]): void => {
    chains.set(name, hook === undefined ? { rules } : { hook, rules });
  };
  const nat = (hook: string, priority: string): string => `type nat hook ${hook} priority ${priority}; policy accept;`;
  chain(
    'services',
    undefined,
    `${ip} daddr . meta l4proto . th dport vmap @service-ips`,
    'fib daddr type local meta l4proto . th dport vmap @node-ports',
  );
  chain(
    'refuse',
    undefined,
    `${ip} daddr . meta l4proto . th dport vmap @refused-ips`,
    'fib daddr type local meta l4proto . th dport vmap @refused-node-ports',
    // Whatever still has a cluster IP as its destination was translated by nobody; it must not leave the machine.
    `${ip} daddr ${serviceCIDR} fib daddr type != local reject`,
  );
  chain('refuse-at-once', undefined, 'reject');
  chain('masquerade-marked', undefined, `meta mark set meta mark and ${WITHOUT_MARK}`, 'masquerade');
  chain('prerouting', nat('prerouting', 'dstnat'), 'jump services');
  chain('output', nat('output', '-100'), 'jump services');
  chain(
    'postrouting',
    nat('postrouting', 'srcnat'),
    `meta mark & ${MASQUERADE_MARK} != 0 goto masquerade-marked`,
    // Its reply would not pass the host: a Pod that got itself as its Service's endpoint.
    `ct status dnat ${ip} saddr . ${ip} daddr @hairpin masquerade`,
    `ct status dnat ct original ${ip} daddr ${serviceCIDR} ${ip} saddr != ${clusterCIDR} masquerade`,
  );
  // Before routing: a host may have no route for what is to be refused, and a redirect of the kernel's would use up
  // the client's share of ICMP messages.
  const refuse = 'ct state new jump refuse';
  chain('refuse-arriving', 'type filter hook prerouting priority -90; policy accept;', refuse);
  chain('refuse-own', 'type filter hook output priority filter; policy accept;', refuse);
  return {
    settings,
    ip,
    byAddress: `${address} . inet_proto . inet_service : verdict`,
    byPort: 'inet_proto . inet_service : verdict',
    pair: `${address} . ${address}`,
    chains,
  };
}

type PortMap = 'service-ips' | 'node-ports' | 'refused-ips' | 'refused-node-ports';

/** Where one address and port, or node port, leads; in one of two maps. */
interface PortVerdict {
  readonly map: PortMap;
  readonly rival: PortMap;
  readonly key: string;
  readonly verdict: string;
}

/** What one port of a Service has in the table. */
interface ServiceRules {
  readonly ports: readonly PortVerdict[];
  readonly hairpin: ReadonlySet<string>;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly chains: ReadonlyMap<string, NftChain>;
}

class ServiceRenderer {
  readonly #ip: 'ip' | 'ip6';
  readonly #clusterCIDR: string;
  readonly #service: VirtualService;
  readonly #ports: PortVerdict[] = [];
  readonly #sets = new Map<string, NftSet>();
  readonly #chains = new Map<string, NftChain>();
  readonly #hairpin = new Set<string>();

  constructor(ip: 'ip' | 'ip6', clusterCIDR: string, service: VirtualService) {
    this.#ip = ip;
    this.#clusterCIDR = clusterCIDR;
    this.#service = service;
  }

  rules(): ServiceRules {
    this.#render(this.#service);
    return { ports: this.#ports, hairpin: this.#hairpin, sets: this.#sets, chains: this.#chains };
  }

  #render(service: VirtualService): void {
    const { key, protocol, port, clusterIP, nodePort, externalAddresses } = service;
    const internal = this.#backends(service, service.internal);
    if (clusterIP !== undefined) this.#address(clusterIP, protocol, port, internal, service.internal);
    if (nodePort === undefined && externalAddresses.length === 0) return;
    const external = this.#external(service);
    for (const outside of externalAddresses) {
      const target = this.#allowed(key, outside, external);
      this.#address(outside.address, protocol, port, target, service.external);
    }
    if (nodePort !== undefined) this.#nodePort(`${protocol} . ${nodePort}`, external, service.external);
  }

  #address(address: string, protocol: Protocol, port: number, chain: string | undefined, backends: Backends): void {
    const key = `${address} . ${protocol} . ${port}`;
    this.#ports.push(
      chain === undefined
        ? { map: 'refused-ips', rival: 'service-ips', key, verdict: refusal(backends) }
        : { map: 'service-ips', rival: 'refused-ips', key, verdict: `goto ${chain}` },
    );
  }

  #nodePort(key: string, chain: string | undefined, backends: Backends): void {
    this.#ports.push(
      chain === undefined
        ? { map: 'refused-node-ports', rival: 'node-ports', key, verdict: refusal(backends) }
        : { map: 'node-ports', rival: 'refused-node-ports', key, verdict: `goto ${chain}` },
    );
  }

  /** The chain for requests from outside; undefined when nobody serves them. */
  #external(service: VirtualService): string | undefined {
    const ip = this.#ip;
    const cluster = this.#endpoints('svc', service, service.cluster);
    if (cluster === undefined) return undefined;
    const mark = `meta mark set meta mark or ${MASQUERADE_MARK}`;
    const name = `ext/${service.key}`;
    const rules = [mark, `goto ${cluster}`];
    if (service.externalLocal) {
      const local = this.#endpoints('local', service, service.external.endpoints);
      rules.splice(
        0,
        rules.length,
        `${ip} saddr ${this.#clusterCIDR} goto ${cluster}`,
        `fib saddr type local ${mark} goto ${cluster}`,
        local === undefined ? 'drop' : `goto ${local}`,
      );
    }
    this.#chains.set(name, { rules });
    return name;
  }

  /** The chain that lets an address's allowed sources through to `target`. */
  #allowed(key: string, { address, allowedSources }: ExternalAddress, target: string | undefined): string | undefined {
    if (target === undefined || allowedSources === undefined) return target;
    const name = `lb/${key}/${address.replaceAll(':', '_')}`;
    const pass = allowedSources.map((range) => `${this.#ip} saddr ${range} goto ${target}`);
    this.#chains.set(name, { rules: [...pass, 'drop'] });
    return name;
  }

  #backends(service: VirtualService, { endpoints }: Backends): string | undefined {
    return this.#endpoints(endpoints === service.cluster ? 'svc' : 'local', service, endpoints);
  }

  /** The chain that picks one of `endpoints`; undefined when there is none. */
  #endpoints(
    prefix: 'svc' | 'local',
    service: VirtualService,
    endpoints: readonly ServiceEndpoint[],
  ): string | undefined {
    if (endpoints.length === 0) return undefined;
    const name = `${prefix}/${service.key}`;
    if (this.#chains.has(name)) return name;
    for (const { address, local } of endpoints) if (local) this.#hairpin.add(`${address} . ${address}`);
    const rules =
      service.affinitySeconds === undefined
        ? [this.#spread(service.protocol, endpoints)]
        : this.#stay(service, service.affinitySeconds, endpoints);
    this.#chains.set(name, { rules });
    return name;
  }

  #spread(protocol: Protocol, endpoints: readonly ServiceEndpoint[]): string {
    const [first] = endpoints;
    if (endpoints.length === 1 && first !== undefined) return this.#translate(protocol, first);
    const choices = endpoints.map(({ address, port }, index) => `${index} : ${address} . ${port}`);
    const choice = `numgen random mod ${endpoints.length} map { ${choices.join(', ')} }`;
    return `meta l4proto ${protocol} dnat ${this.#ip} to ${choice}`;
  }

  #translate(protocol: Protocol, { address, port }: ServiceEndpoint): string {
    const host = this.#ip === 'ip' ? address : `[${address}]`;
    return `meta l4proto ${protocol} dnat ${this.#ip} to ${host}:${port}`;
  }

  /** Each endpoint remembers its clients for a while; a client nobody remembers gets one at random. */
  #stay(service: VirtualService, seconds: number, endpoints: readonly ServiceEndpoint[]): string[] {
    const { key, protocol } = service;
    const address = this.#ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
    const returning: string[] = [];
    const choices: string[] = [];
    endpoints.forEach((endpoint, index) => {
      const id = `${key}/${endpoint.address.replaceAll(':', '_')}/${endpoint.port}`;
      const clients = `clients/${id}/${seconds}`;
      this.#sets.set(clients, {
        kind: 'set',
        type: address,
        flags: ['dynamic', 'timeout'],
        timeoutSeconds: seconds,
        elements: new Map(),
      });
      const remember = `update @${clients} { ${this.#ip} saddr }`;
      this.#chains.set(`ep/${id}`, { rules: [remember, this.#translate(protocol, endpoint)] });
      returning.push(`${this.#ip} saddr @${clients} goto ep/${id}`);
      choices.push(`${index} : goto ep/${id}`);
    });
    return [...returning, `numgen random mod ${endpoints.length} vmap { ${choices.join(', ')} }`];
  }
}

function refusal({ otherwise }: Backends): string {
  return otherwise === 'drop' ? 'drop' : 'goto refuse-at-once';
}

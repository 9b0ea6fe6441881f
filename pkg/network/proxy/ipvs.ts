import { IpSetKeeper } from '../../host/ipset.ts';
import { findIptables, IptablesKeeper, type IptablesPrograms } from '../../host/iptables.ts';
import { IpvsKeeper, type ListedServer } from '../../host/ipvs.ts';
import type { RunProgram } from '../../host/nft.ts';
import type { Sysctl } from '../../host/sysctl.ts';
import { IPVS_CHAIN_PREFIX } from '../names.ts';
import { ensureArrivedRoute, ensureIpvsDevice, entryOf, isWithin, removeIpvs } from './ipvs-host.ts';
import { IpvsPlanner, setPrefix } from './ipvs-plan.ts';
import type { Ruleset } from './ruleset.ts';
import type { ServiceActor } from './service-actor.ts';

export interface IpvsOptions {
  readonly family: 4 | 6;
  readonly serviceCIDR: string;
  readonly servedHere: readonly string[];
  /** The addresses of the machine but those of IPVS_DEVICE; of both families, loopback's too. */
  readonly localAddresses: () => Promise<readonly string[]>;
  readonly run: RunProgram;
  readonly sysctl: Sysctl;
}

/** Upstream kube-proxy's, for the same reasons. */
const SETTINGS = {
  // Masquerading, and rules that ask for a connection's state, need them in the connection table.
  'net/ipv4/vs/conntrack': '1',
  // What goes to an endpoint that is no more finds another, and clients that stay with one leave it when it goes.
  'net/ipv4/vs/expire_nodest_conn': '1',
  'net/ipv4/vs/expire_quiescent_template': '1',
} as const;

/**
 * Carries rulesets out with the kernel's load balancer (IPVS). Cluster IPs are the machine's own by one route of the
 * whole Service CIDR to the dummy device kube-ipvs0; what nobody serves there is refused. External addresses that
 * belong to others stay theirs: only packets to a Service's port are brought to IPVS, by mark. Rules of iptables look
 * everything up in sets, so their number does not grow with the number of Services.
 */
export async function createIpvsActor(options: IpvsOptions): Promise<ServiceActor> {
  const programs = await findIptables(options.family, options.run);
  if (programs === undefined) throw new Error('iptables does not work');
  return new IpvsActor(options, programs);
}

class IpvsActor implements ServiceActor {
  readonly #options: IpvsOptions;
  readonly #sysctl: Sysctl;
  readonly #planner = new IpvsPlanner();
  readonly #sets: IpSetKeeper;
  readonly #rules: IptablesKeeper;
  readonly #servers: IpvsKeeper;
  /** Addresses and ports that are ours in the kernel, in the notation of sets. */
  #ours: ReadonlySet<string> = new Set();
  #prepared = false;
  #routesArrived = false;

  constructor(options: IpvsOptions, programs: IptablesPrograms) {
    this.#options = options;
    this.#sysctl = options.sysctl;
    this.#sets = new IpSetKeeper(setPrefix(options.family), options.run);
    this.#rules = new IptablesKeeper(programs, IPVS_CHAIN_PREFIX, options.run);
    const inServiceCIDR = (server: ListedServer): boolean => isWithin(server, options.serviceCIDR);
    this.#servers = new IpvsKeeper(
      options.run,
      (server) => inServiceCIDR(server) || this.#ours.has(entryOf(server)),
      // On the node's own addresses a port may be somebody else's as soon as it is the Service's no more.
      inServiceCIDR,
    );
  }

  get draining(): boolean {
    return this.#servers.draining;
  }

  async apply(ruleset: Ruleset): Promise<number> {
    const { family, localAddresses, servedHere } = this.#options;
    const nodeAddresses = (await localAddresses()).filter(
      (address) => address.includes(':') === (family === 6) && !isLoopback(address) && !servedHere.includes(address),
    );
    const ofFamily = servedHere.filter((address) => address.includes(':') === (family === 6));
    const plan = this.#planner.plan(ruleset, { nodeAddresses, servedHere: ofFamily });
    if (!this.#prepared) {
      await this.#applySettings();
      await ensureIpvsDevice(family, this.#options.serviceCIDR, this.#options.run);
      this.#prepared = true;
    }
    if (plan.hasAddressesElsewhere && !this.#routesArrived) {
      await ensureArrivedRoute(family, this.#options.run);
      this.#routesArrived = true;
    }
    // Before they change: what a former process, or the last ruleset, called its own.
    const before = await this.#sets.read();
    this.#ours = new Set([...before.values()].flatMap((entries) => [...entries]));
    const changes = [
      await this.#sets.apply(plan.sets),
      await this.#rules.apply(plan.tables),
      await this.#servers.apply(plan.servers),
    ];
    return changes.reduce((sum, change) => sum + change, 0);
  }

  async inspect(what: 'everything' | 'old endpoints'): Promise<void> {
    this.#servers.forget();
    if (what === 'old endpoints') return;
    this.#prepared = false;
    this.#routesArrived = false;
    this.#sets.forget();
    if (!(await this.#rules.intact())) this.#rules.forget();
  }

  async remove(): Promise<void> {
    await removeIpvs(this.#options.run);
    await this.inspect('everything');
    this.#rules.forget();
  }

  async #applySettings(): Promise<void> {
    for (const [name, value] of Object.entries(SETTINGS)) {
      if ((await this.#sysctl.read(name)) !== value) await this.#sysctl.write(name, value);
    }
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

import { networkInterfaces } from 'node:os';
import { endpointSlices, services } from '../../api/resources.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { ExecError, exec } from '../../host/exec.ts';
import { NftTableKeeper, type RunProgram } from '../../host/nft.ts';
import { hostSysctl, type Sysctl } from '../../host/sysctl.ts';
import { IPVS_DEVICE, PROXY_TABLE } from '../names.ts';
import { Resync } from '../resync.ts';
import { forgetFlow, parseFlows, staleFlows, udpPart } from './conntrack.ts';
import { createIpvsActor } from './ipvs.ts';
import { removeIpvs } from './ipvs-host.ts';
import { chooseMode } from './mode.ts';
import { NftablesActor } from './nftables.ts';
import { ServicePlanner } from './plan-services.ts';
import { type Ruleset, sameItems, type VirtualService } from './ruleset.ts';
import { PROXY_MODES, type ProxyMode, type ServiceActor } from './service-actor.ts';

export interface ProxyOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** `auto`, unless given: IPVS where the kernel has it, else nftables. */
  readonly mode?: ProxyMode | 'auto';
  /** The cluster's Pod CIDRs and Service CIDRs, at most one of each per family; families without both are left out. */
  readonly clusterCIDRs: readonly string[];
  readonly serviceCIDRs: readonly string[];
  /** Cluster IPs this node answers by itself: the cluster DNS address. */
  readonly servedHere: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly tableName?: string;
  /** How the machine is reached; for nodes in network namespaces of their own (tests). */
  readonly host?: ProxyHost;
  /** Least time between two changes of the rules, ms; 50 unless given. */
  readonly minIntervalMs?: number;
}

export interface ProxyHost {
  readonly run: RunProgram;
  readonly sysctl: Sysctl;
  /** The machine's addresses but those of IPVS_DEVICE. */
  localAddresses(): Promise<readonly string[]>;
}

export interface Proxy extends Component {
  /** Resolves when everything known of Services by now is in force. */
  inForce(): Promise<void>;
  /** Removes every rule; for switching the proxy off, and for tests. `stop` leaves them, for Pods outlive kedge. */
  cleanup(): Promise<void>;
}

const MIN_INTERVAL_MS = 50;
/** How often the machine's addresses, which node ports follow, and old endpoints are looked at. */
const LOOK_MS = 10_000;
/** How often it is looked at whether others have changed the rules, in looks. */
const LOOKS_PER_INSPECTION = 6;

interface Family {
  readonly family: 4 | 6;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  readonly planner: ServicePlanner;
  readonly actor: ServiceActor;
  /** The UDP part of the ruleset for which tracked flows were last looked at. */
  udp: readonly VirtualService[] | undefined;
}

/**
 * The Service proxy (kube-proxy's part): keeps the node's IPVS or nft tables as Services and EndpointSlices say. The
 * first rules are made when both are known completely and replace what a former process left, in whichever mode; until
 * then those stay.
 */
export function createProxy(options: ProxyOptions): Proxy {
  const { client, nodeName, clock } = options;
  const log = options.log.child('proxy');
  const host = options.host ?? thisMachine;
  const { run } = host;
  const servedHere = new Set(options.servedHere);
  const serviceInformer = client.informer(services);
  const sliceInformer = client.informer(endpointSlices);
  const unsubscribe: (() => void)[] = [];
  let families: Family[] = [];
  let removeOtherMode: (() => Promise<void>) | undefined;
  let known = false;
  let tracksFlows = true;
  let addresses = '';
  let looks = 0;
  let stopped = false;
  let inspect: Parameters<ServiceActor['inspect']>[0] | undefined;
  let cancelLook: Cancel = () => {};

  const resync = new Resync({
    clock,
    minIntervalMs: options.minIntervalMs ?? MIN_INTERVAL_MS,
    work: sync,
    onError: (error, retryMs) => log.warn('Service rules not in force', { error: errorText(error), retryMs }),
  });

  async function sync(): Promise<void> {
    if (!known) return;
    const inspected = inspect;
    inspect = undefined;
    addresses = await addressList();
    for (const state of families) {
      const { family, clusterCIDR, serviceCIDR, planner, actor } = state;
      const ruleset = planner.plan({
        family,
        services: serviceInformer.list(),
        endpointSlices: sliceInformer.list(),
        nodeName,
        clusterCIDR,
        serviceCIDR,
        servedHere,
      });
      if (inspected !== undefined) await actor.inspect(inspected);
      const size = await actor.apply(ruleset);
      if (size > 0) log.debug('rules changed', { family, services: ruleset.services.length, size });
      await forgetStaleFlows(state, ruleset);
    }
    await removeOtherMode?.();
    removeOtherMode = undefined;
  }

  /** What no event tells of: addresses of the machine, connections that end, rules that others change. */
  async function look(): Promise<void> {
    looks += 1;
    const moved = known && (await addressList()) !== addresses;
    if (looks % LOOKS_PER_INSPECTION === 0) inspect = 'everything';
    else if (families.some(({ actor }) => actor.draining)) inspect ??= 'old endpoints';
    if (moved || inspect !== undefined) resync.trigger();
  }

  async function addressList(): Promise<string> {
    return (await host.localAddresses()).toSorted().join(' ');
  }

  function scheduleLook(): void {
    if (stopped) return;
    cancelLook = clock.setTimeout(() => {
      look().then(scheduleLook, (error: unknown) => {
        log.warn("the machine's addresses are unknown", { error: errorText(error) });
        scheduleLook();
      });
    }, LOOK_MS);
  }

  async function forgetStaleFlows(state: Family, ruleset: Ruleset): Promise<void> {
    const udp = udpPart(ruleset);
    if (!tracksFlows || (state.udp !== undefined && sameItems(udp, state.udp))) return;
    const nodeAddresses = new Set(await host.localAddresses());
    try {
      const listing = await run(['conntrack', '-L', '-p', 'udp', '-f', state.family === 4 ? 'ipv4' : 'ipv6']);
      for (const flow of staleFlows(ruleset, parseFlows(listing), nodeAddresses)) {
        try {
          await run(forgetFlow(flow));
        } catch (error) {
          // conntrack fails when there was nothing to delete: the flow had ended by itself.
          if (!(error instanceof ExecError) || error.exitCode !== 1) throw error;
        }
      }
    } catch (error) {
      // The rules are in force; this machine lacks the program or the kernel's part of it.
      if (!(error instanceof ExecError)) throw error;
      tracksFlows = false;
      const remedy = error.notFound ? 'apt install conntrack' : undefined;
      log.warn('UDP clients may keep sending to endpoints that are gone', { error: errorText(error), remedy });
    }
    state.udp = udp;
  }

  return {
    name: 'proxy',
    async start(signal) {
      const mode = await chooseMode(options.mode ?? 'auto', run, log);
      families = await familiesOf(options, mode, host);
      removeOtherMode = () => removeMode(mode === 'ipvs' ? 'nftables' : 'ipvs', options.tableName ?? PROXY_TABLE, run);
      log.info('Service proxy', { mode });
      unsubscribe.push(serviceInformer.subscribe(() => resync.trigger()));
      unsubscribe.push(sliceInformer.subscribe(() => resync.trigger()));
      Promise.all([serviceInformer.synced(), sliceInformer.synced()]).then(
        () => {
          known = true;
          if (!signal.aborted) resync.trigger();
        },
        (error: unknown) => log.error('Services cannot be watched', { error: errorText(error) }),
      );
      scheduleLook();
    },
    // Not when the first rules are in force: an agent has to come up while its server is away, with the old rules.
    ready: () => Promise.resolve(),
    async stop() {
      stopped = true;
      cancelLook();
      for (const stop of unsubscribe.splice(0)) stop();
      await resync.stop();
    },
    inForce: () => resync.idle(),
    async cleanup() {
      for (const { actor } of families) await actor.remove();
    },
  };
}

const thisMachine: ProxyHost = {
  run: exec,
  sysctl: hostSysctl,
  async localAddresses() {
    return Object.entries(networkInterfaces()).flatMap(([device, addresses = []]) =>
      device === IPVS_DEVICE ? [] : addresses.map(({ address }) => address),
    );
  },
};

async function familiesOf(options: ProxyOptions, mode: ProxyMode, host: ProxyHost): Promise<Family[]> {
  const { run, sysctl } = host;
  const localAddresses = (): Promise<readonly string[]> => host.localAddresses();
  const families: Family[] = [];
  for (const family of [4, 6] as const) {
    const ofFamily = (cidr: string): boolean => cidr.includes(':') === (family === 6);
    const clusterCIDR = options.clusterCIDRs.find(ofFamily);
    const serviceCIDR = options.serviceCIDRs.find(ofFamily);
    if (clusterCIDR === undefined || serviceCIDR === undefined) continue;
    const { servedHere } = options;
    const actor =
      mode === 'ipvs'
        ? await createIpvsActor({ family, serviceCIDR, servedHere, localAddresses, run, sysctl })
        : new NftablesActor(family, options.tableName ?? PROXY_TABLE, run);
    families.push({ family, clusterCIDR, serviceCIDR, planner: new ServicePlanner(), actor, udp: undefined });
  }
  return families;
}

/**
 * In place of the Service proxy on a node that is not to have one: takes away what a former process has left, in
 * whichever mode, for those rules would be followed for ever.
 */
export function createProxyRemoval(options: { readonly run: RunProgram; readonly log: Logger }): Component {
  const log = options.log.child('proxy');
  return {
    name: 'proxy-removal',
    async start() {
      for (const mode of PROXY_MODES) {
        try {
          await removeMode(mode, PROXY_TABLE, options.run);
        } catch (error) {
          log.warn('rules of a former Service proxy are left', { mode, error: errorText(error) });
        }
      }
    },
    ready: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

/** Takes away what a former process left that ran in this mode. */
async function removeMode(mode: ProxyMode, tableName: string, run: RunProgram): Promise<void> {
  if (mode === 'ipvs') {
    await removeIpvs(run);
    return;
  }
  for (const family of ['ip', 'ip6'] as const) {
    const keeper = new NftTableKeeper(family, tableName, run);
    try {
      if (await keeper.exists()) await keeper.remove();
    } catch (error) {
      // Neither the program nor the kernel's part of it: then no table either.
      if (!(error instanceof ExecError)) throw error;
    }
  }
}

import { networkInterfaces } from 'node:os';
import { endpointSlices, services } from '../../api/resources.ts';
import type { Clock } from '../../base/clock.ts';
import { type Component, OperatorError } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { ExecError, exec } from '../../host/exec.ts';
import { NftTableKeeper, type RunProgram } from '../../host/nft.ts';
import { PROXY_TABLE } from '../names.ts';
import { Resync } from '../resync.ts';
import { forgetFlow, parseFlows, staleFlows, udpPart } from './conntrack.ts';
import { renderNftables } from './nftables.ts';
import { planServices } from './plan-services.ts';
import type { Ruleset } from './ruleset.ts';

export interface ProxyOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** The cluster's Pod CIDRs and Service CIDRs, at most one of each per family; families without both are left out. */
  readonly clusterCIDRs: readonly string[];
  readonly serviceCIDRs: readonly string[];
  /** Cluster IPs this node answers by itself: the cluster DNS address. */
  readonly servedHere: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly tableName?: string;
  /** How programs are run; for nodes in network namespaces of their own (tests). */
  readonly run?: RunProgram;
  /** Least time between two changes of the rules, ms; 50 unless given. */
  readonly minIntervalMs?: number;
}

export interface Proxy extends Component {
  /** Removes every rule; for switching the proxy off, and for tests. `stop` leaves them, for Pods outlive kedge. */
  cleanup(): Promise<void>;
}

const MIN_INTERVAL_MS = 50;

interface Family {
  readonly family: 4 | 6;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  readonly keeper: NftTableKeeper;
  /** The UDP part of the ruleset for which tracked flows were last looked at. */
  udp: string | undefined;
}

/**
 * The Service proxy (kube-proxy's part): keeps the node's nft tables as Services and EndpointSlices say. The first
 * rules are made when both are known completely and replace what a former process left; until then those stay.
 */
export function createProxy(options: ProxyOptions): Proxy {
  const { client, nodeName, clock } = options;
  const log = options.log.child('proxy');
  const run = options.run ?? exec;
  const tableName = options.tableName ?? PROXY_TABLE;
  const families = familiesOf(options, tableName, run);
  const servedHere = new Set(options.servedHere);
  const serviceInformer = client.informer(services);
  const sliceInformer = client.informer(endpointSlices);
  const unsubscribe: (() => void)[] = [];
  let known = false;
  let tracksFlows = true;

  const resync = new Resync({
    clock,
    minIntervalMs: options.minIntervalMs ?? MIN_INTERVAL_MS,
    work: sync,
    onError: (error, retryMs) => log.warn('Service rules not in force', { error: errorText(error), retryMs }),
  });

  async function sync(): Promise<void> {
    if (!known) return;
    for (const state of families) {
      const { family, clusterCIDR, serviceCIDR } = state;
      const ruleset = planServices({
        family,
        services: serviceInformer.list(),
        endpointSlices: sliceInformer.list(),
        nodeName,
        clusterCIDR,
        serviceCIDR,
        servedHere,
      });
      const bytes = await state.keeper.apply(renderNftables(ruleset, tableName));
      if (bytes > 0) log.debug('rules changed', { family, services: ruleset.services.length, bytes });
      await forgetStaleFlows(state, ruleset);
    }
  }

  async function forgetStaleFlows(state: Family, ruleset: Ruleset): Promise<void> {
    const udp = udpPart(ruleset);
    if (!tracksFlows || udp === state.udp) return;
    const nodeAddresses = new Set(
      Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address)),
    );
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
      await probe(run);
      unsubscribe.push(serviceInformer.subscribe(() => resync.trigger()));
      unsubscribe.push(sliceInformer.subscribe(() => resync.trigger()));
      Promise.all([serviceInformer.synced(), sliceInformer.synced()]).then(
        () => {
          known = true;
          if (!signal.aborted) resync.trigger();
        },
        (error: unknown) => log.error('Services cannot be watched', { error: errorText(error) }),
      );
    },
    // Not when the first rules are in force: an agent has to come up while its server is away, with the old rules.
    ready: () => Promise.resolve(),
    async stop() {
      for (const stop of unsubscribe.splice(0)) stop();
      await resync.stop();
    },
    async cleanup() {
      for (const { keeper } of families) await keeper.remove();
    },
  };
}

function familiesOf(options: ProxyOptions, tableName: string, run: RunProgram): Family[] {
  return ([4, 6] as const).flatMap((family) => {
    const ofFamily = (cidr: string): boolean => cidr.includes(':') === (family === 6);
    const clusterCIDR = options.clusterCIDRs.find(ofFamily);
    const serviceCIDR = options.serviceCIDRs.find(ofFamily);
    if (clusterCIDR === undefined || serviceCIDR === undefined) return [];
    const keeper = new NftTableKeeper(family === 4 ? 'ip' : 'ip6', tableName, run);
    return [{ family, clusterCIDR, serviceCIDR, keeper, udp: undefined }];
  });
}

async function probe(run: RunProgram): Promise<void> {
  try {
    await run(['nft', 'list', 'tables']);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    const remedy = error.notFound
      ? 'the Service proxy needs the nft program: apt install nftables'
      : `the Service proxy cannot use nftables (${errorText(error)}): it needs root and a kernel with nf_tables`;
    throw new OperatorError(remedy);
  }
}

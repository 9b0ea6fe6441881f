import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Node } from '../api/generated/core-v1.ts';
import { nodes, pods } from '../api/resources.ts';
import { deepEqual } from '../apimachinery/deep-equal.ts';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { pathsFor, RUN_DIR } from '../base/paths.ts';
import type { Client } from '../client/client.ts';
import { exec } from '../host/exec.ts';
import { NftTableKeeper } from '../host/nft.ts';
import { ensureBridge } from './bridge.ts';
import { planCniConfig } from './cni-config.ts';
import { acceptForwarding } from './forward-accept.ts';
import { applyKernelSettings } from './kernel-settings.ts';
import { BRIDGE, CNI_CONFIG_FILE, CNI_NETWORK, POD_TABLE } from './names.ts';
import { refuseOverlap } from './overlap.ts';
import { hostPortsOf, planPodTable } from './pod-table.ts';
import { Resync } from './resync.ts';

export interface PodNetworkOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly dataDir: string;
  /** RUN_DIR unless given. */
  readonly runDir?: string;
  /** Where the container runtime looks for CNI configurations; the folder of kedge's own containerd unless given. */
  readonly cniDir?: string;
  /** The cluster's Pod CIDRs, at most one per family. */
  readonly clusterCIDRs: readonly string[];
  /** The cluster's Service CIDRs, at most one per family. */
  readonly serviceCIDRs: readonly string[];
  /** Bytes a packet of a Pod may have; asked when the first Pods are to come, and whenever the node changes. */
  readonly mtu: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names on the host, for hosts that carry several nodes (tests). */
  readonly names?: { readonly bridge: string; readonly network: string; readonly table: string };
}

const MIN_INTERVAL_MS = 100;
/** How often it is looked whether somebody flushed the rules. */
const LOOK_MS = 10_000;

/**
 * The network of this node's Pods: when the node has its Pod CIDR, writes the CNI configuration (containerd reads it at
 * once and the kubelet reports the node's network ready), makes the host route and masquerade for Pods, and keeps host
 * ports. `ready` does not wait for a Pod CIDR: the node is registered by a component that is started later. `stop`
 * leaves everything in place, for Pods outlive kedge; teardown.ts names what to remove.
 */
export function createPodNetwork(options: PodNetworkOptions): Component {
  const { client, nodeName, clock } = options;
  const log = options.log.child('pod-network');
  const names = options.names ?? { bridge: BRIDGE, network: CNI_NETWORK, table: POD_TABLE };
  const cniDir = options.cniDir ?? pathsFor(options.dataDir).cniConf;
  const leaseDir = join(options.runDir ?? RUN_DIR, 'cni');
  const keepers = {
    4: new NftTableKeeper('ip', names.table, exec),
    6: new NftTableKeeper('ip6', names.table, exec),
  };
  const node = client.informer(nodes, { fieldSelector: `metadata.name=${nodeName}` });
  const ownPods = client.informer(pods, { fieldSelector: `spec.nodeName=${nodeName}` });
  const ipv6 = options.clusterCIDRs.some((cidr) => cidr.includes(':'));
  let bridgeNetfilter = true;
  let readyFor: { podCIDRs: readonly string[]; mtu: number } | undefined;
  const unsubscribe: (() => void)[] = [];
  let cancelLook = (): void => {};
  let stopped = false;

  const resync = new Resync({
    clock,
    minIntervalMs: MIN_INTERVAL_MS,
    work: sync,
    onError: (error, retryMs) => log.warn('Pod network not in order', { error: errorText(error), retryMs }),
  });

  async function sync(): Promise<void> {
    const podCIDRs = podCIDRsOf(node.get(nodeName));
    if (podCIDRs.length === 0) return;
    const mtu = options.mtu();
    const first = !deepEqual({ podCIDRs, mtu }, readyFor);
    if (first) {
      await ensureBridge({ name: names.bridge, podCIDRs, mtu });
      for (const cidr of options.serviceCIDRs) await routeServices(cidr, names.bridge);
      for (const cidr of podCIDRs) {
        if (await acceptForwarding(cidr, exec)) log.info('iptables drops forwarded packets: Pods are let through');
      }
    }
    const local = ownPods.list().filter((pod) => pod.spec.nodeName === nodeName);
    for (const podCIDR of podCIDRs) {
      const family = podCIDR.includes(':') ? 6 : 4;
      const clusterCIDR = options.clusterCIDRs.find((cidr) => cidr.includes(':') === (family === 6)) ?? podCIDR;
      const hostPorts = hostPortsOf(local, family);
      const { bridge, table: tableName } = names;
      const input = { family, podCIDR, clusterCIDR, bridge, hostPorts, bridgeNetfilter, tableName } as const;
      await keepers[family].apply(planPodTable(input));
    }
    if (!first) return;
    // Last: from now on containerd sets up Pods.
    const { bridge, network } = names;
    const config = planCniConfig({ podCIDRs, leaseDir, bridge, network, mtu });
    await writeIfChanged(cniDir, `${JSON.stringify(config, undefined, 2)}\n`);
    readyFor = { podCIDRs, mtu };
    log.info('Pod network ready', { podCIDRs: podCIDRs.join(','), mtu });
  }

  /** `nft flush ruleset` and a reload of nftables.service take every table on the machine, and nobody tells. */
  async function look(): Promise<void> {
    for (const podCIDR of readyFor?.podCIDRs ?? []) {
      const keeper = keepers[podCIDR.includes(':') ? 6 : 4];
      if (await keeper.exists()) continue;
      log.warn('somebody removed the rules of Pods: they are put back', { table: names.table });
      keeper.forget();
      resync.trigger();
    }
  }

  function lookLater(): void {
    if (stopped) return;
    cancelLook = clock.setTimeout(() => {
      look().then(lookLater, (error: unknown) => {
        log.warn('the rules of Pods cannot be looked at', { error: errorText(error) });
        lookLater();
      });
    }, LOOK_MS);
  }

  return {
    name: 'pod-network',
    async start() {
      await refuseOverlap(options, exec);
      ({ bridgeNetfilter } = await applyKernelSettings({ cores: availableParallelism(), ipv6 }, log));
      unsubscribe.push(node.subscribe(() => resync.trigger()));
      // A Pod matters here for its host ports only.
      unsubscribe.push(
        ownPods.subscribe((event) => {
          const { containers, initContainers = [] } = event.object.spec;
          const ports = [...containers, ...initContainers].flatMap((container) => container.ports ?? []);
          if (ports.some(({ hostPort }) => hostPort)) resync.trigger();
        }),
      );
      lookLater();
    },
    ready: () => Promise.resolve(),
    async stop() {
      stopped = true;
      cancelLook();
      for (const stop of unsubscribe.splice(0)) stop();
      await resync.stop();
    },
  };
}

function podCIDRsOf(node: Node | undefined): string[] {
  const { podCIDRs = [], podCIDR } = node?.spec ?? {};
  return podCIDRs.length > 0 || !podCIDR ? [...podCIDRs] : [podCIDR];
}

/**
 * A process of the host that calls a cluster IP needs a route to it before address translation has its turn; without a
 * default route there is none. Packets take their real way after translation, the proxy's rules refuse any other.
 */
async function routeServices(serviceCIDR: string, bridge: string): Promise<void> {
  await exec(['ip', serviceCIDR.includes(':') ? '-6' : '-4', 'route', 'replace', serviceCIDR, 'dev', bridge]);
}

async function writeIfChanged(dir: string, text: string): Promise<void> {
  const path = join(dir, CNI_CONFIG_FILE);
  await mkdir(dir, { recursive: true });
  if (existsSync(path) && (await readFile(path, 'utf8')) === text) return;
  await writeFileAtomic(path, text, { mode: 0o644 });
}

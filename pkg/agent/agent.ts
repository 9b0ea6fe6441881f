import type { Clock } from '../base/clock.ts';
import { type Component, OperatorError } from '../base/component.ts';
import type { Logger } from '../base/log.ts';
import { type Paths, PORTS } from '../base/paths.ts';
import { versionInfo } from '../base/version.ts';
import type { ClusterConfig } from '../bootstrap/join-protocol.ts';
import type { Client } from '../client/client.ts';
import { type CriClient, createCriClient } from '../cri/client.ts';
import { exec } from '../host/exec.ts';
import { createKubelet } from '../kubelet/kubelet.ts';
import type { NodeIdentity } from '../kubelet/node-object.ts';
import type { ReferencedObjects } from '../kubelet/referenced-objects.ts';
import type { KubeletTls } from '../kubelet/server.ts';
import { createDns } from '../network/dns/dns.ts';
import { createFlannel } from '../network/flannel/flannel.ts';
import { createForeignNetwork } from '../network/foreign-network.ts';
import { HOST_CNI_BIN_DIR, HOST_CNI_DIR } from '../network/names.ts';
import { createPodNetwork } from '../network/pod-network.ts';
import { createProxy, createProxyRemoval } from '../network/proxy/proxy.ts';
import type { NodeConfig } from './config.ts';
import { Containerd } from './containerd.ts';
import { ImageImporter } from './images.ts';

export interface NodeOptions {
  readonly paths: Paths;
  /** Acts as this node. */
  readonly client: Client;
  /** The ConfigMaps and Secrets of Pods; informers of all, which only a server's own node may have, unless given. */
  readonly references?: ReferencedObjects;
  readonly config: NodeConfig;
  /** The node's address. */
  readonly ip: string;
  /** Labels beside those of the operator: roles. */
  readonly labels: Readonly<Record<string, string>>;
  readonly cluster: Omit<ClusterConfig, 'clientCA' | 'version'>;
  readonly kubeletTls: KubeletTls;
  /** Calls its argument with renewed certificates; returns the unsubscriber. */
  readonly onKubeletTlsChange: (apply: (tls: KubeletTls) => void) => () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Upstream's default for a node. */
const MAX_PODS = 110;

/** The parts of a node, in the order in which they start; beside its server or on a machine of its own. */
export function nodeComponents(options: NodeOptions): Component[] {
  const { paths, client, config, cluster, clock, log } = options;
  const { runtime, cri } = containerRuntime(options);
  return [
    ...runtime,
    ...podNetwork(options),
    // Before the kubelet: Pods ask for names as soon as they run.
    ...(cluster.disabled.clusterDNS ? [] : [clusterDns(options)]),
    createKubelet({
      client,
      cri,
      log,
      clock,
      node: identityOf(options),
      root: paths.kubelet,
      tls: options.kubeletTls,
      onTlsChange: options.onKubeletTlsChange,
      clusterDns: { servers: [cluster.clusterDNS], domain: cluster.clusterDomain },
      ...(config.resolvConf === undefined ? {} : { resolvConf: config.resolvConf }),
      ...(options.references === undefined ? {} : { references: options.references }),
    }),
    cluster.disabled.kubeProxy ? createProxyRemoval({ run: exec, log: options.log }) : serviceProxy(options),
  ];
}

function identityOf({ config, ip, labels }: NodeOptions): NodeIdentity {
  return {
    name: config.name,
    ips: [ip],
    externalIPs: config.externalIP === undefined ? [] : [config.externalIP],
    labels: { ...config.labels, ...labels },
    taints: config.taints.map((taint) => ({ ...taint })),
    maxPods: MAX_PODS,
    port: PORTS.kubelet,
    version: versionInfo.gitVersion,
  };
}

/** The network of this node's Pods, and the one between nodes. */
function podNetwork(options: NodeOptions): Component[] {
  const { client, config, cluster, ip, clock, log } = options;
  const { flannelBackend: backend } = cluster;
  const clusterCIDRs = [cluster.clusterCIDR];
  if (backend === 'none') return [createForeignNetwork({ clusterCIDRs, log })];
  const flannel = createFlannel({
    client,
    nodeName: config.name,
    nodeIPs: [ip],
    backend,
    iface: config.flannelIface,
    clock,
    log,
  });
  const network = createPodNetwork({
    client,
    nodeName: config.name,
    dataDir: options.paths.dataDir,
    clusterCIDRs,
    serviceCIDRs: [cluster.serviceCIDR],
    mtu: flannel.mtu,
    ...(config.containerRuntimeSocket === undefined ? {} : { cniDir: HOST_CNI_DIR }),
    clock,
    log,
  });
  return [flannel, network];
}

function clusterDns({ client, cluster, config, clock, log }: NodeOptions): Component {
  return createDns({
    client,
    address: cluster.clusterDNS,
    domain: cluster.clusterDomain,
    ownCIDRs: [cluster.clusterCIDR, cluster.serviceCIDR],
    clock,
    log,
    ...(config.resolvConf === undefined ? {} : { resolvConf: config.resolvConf }),
  });
}

function serviceProxy({ client, config, cluster, clock, log }: NodeOptions): Component {
  return createProxy({
    client,
    nodeName: config.name,
    mode: config.proxyMode,
    clusterCIDRs: [cluster.clusterCIDR],
    serviceCIDRs: [cluster.serviceCIDR],
    servedHere: cluster.disabled.clusterDNS ? [] : [cluster.clusterDNS],
    clock,
    log,
  });
}

/** kedge's own containerd with its images, or a runtime that somebody else runs. */
function containerRuntime(options: NodeOptions): { runtime: Component[]; cri: () => CriClient } {
  const { paths, clock, log, cluster } = options;
  const { containerRuntimeSocket: runtimeSocket } = options.config;
  if (runtimeSocket === undefined) {
    const containerd = new Containerd({
      dataDir: paths.dataDir,
      log,
      clock,
      cni: cluster.flannelBackend === 'none' ? { confDir: HOST_CNI_DIR, binDir: HOST_CNI_BIN_DIR } : undefined,
    });
    const importer = new ImageImporter({ dataDir: paths.dataDir, containerd, log, clock });
    return { runtime: [containerd, importer], cri: () => containerd.client };
  }
  const client = createCriClient({ socketPath: runtimeSocket, clock });
  const external: Component = {
    name: 'container-runtime',
    async start() {
      try {
        await client.runtime.version({});
      } catch (error) {
        const text = `no container runtime answers at ${runtimeSocket}: start it, or leave out --container-runtime-endpoint`;
        throw new OperatorError(text, { cause: error });
      }
    },
    async ready() {},
    async stop() {
      client.close();
    },
  };
  return { runtime: [external], cri: () => client };
}

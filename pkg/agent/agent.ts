import type { Clock } from '../base/clock.ts';
import { type Component, OperatorError } from '../base/component.ts';
import type { Logger } from '../base/log.ts';
import type { Paths } from '../base/paths.ts';
import type { Client } from '../client/client.ts';
import { type CriClient, createCriClient } from '../cri/client.ts';
import { createKubelet } from '../kubelet/kubelet.ts';
import type { NodeIdentity } from '../kubelet/node-object.ts';
import type { KubeletTls } from '../kubelet/server.ts';
import { createDns } from '../network/dns/dns.ts';
import type { FlannelBackend } from '../network/flannel/annotations.ts';
import { createFlannel } from '../network/flannel/flannel.ts';
import { createForeignNetwork } from '../network/foreign-network.ts';
import { HOST_CNI_BIN_DIR, HOST_CNI_DIR } from '../network/names.ts';
import { createPodNetwork } from '../network/pod-network.ts';
import { createProxy } from '../network/proxy/proxy.ts';
import { Containerd } from './containerd.ts';
import { ImageImporter } from './images.ts';

export interface AgentOptions {
  readonly paths: Paths;
  /** Acts as this node. */
  readonly client: Client;
  readonly node: NodeIdentity;
  readonly kubeletTls: KubeletTls;
  /** Calls its argument with renewed certificates; returns the unsubscriber. */
  readonly onKubeletTlsChange: (apply: (tls: KubeletTls) => void) => () => void;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  /** The network between nodes; `iface` is the device it uses, that of the node's address when undefined. */
  readonly flannel: { readonly backend: FlannelBackend; readonly iface: string | undefined };
  /** Parts that are not to run. */
  readonly disabled: { readonly kubeProxy: boolean; readonly clusterDNS: boolean };
  readonly clusterDns: { readonly address: string; readonly domain: string };
  /** Socket of a runtime that is there already; kedge's own containerd when undefined. */
  readonly runtimeSocket: string | undefined;
  readonly resolvConf: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The parts of a node, in the order in which they start. */
export function nodeComponents(options: AgentOptions): Component[] {
  const { paths, client, node, clock, log } = options;
  const { runtime, cri } = containerRuntime(options);
  return [
    ...runtime,
    ...podNetwork(options),
    // Before the kubelet: Pods ask for names as soon as they run.
    ...(options.disabled.clusterDNS ? [] : [clusterDns(options)]),
    createKubelet({
      client,
      cri,
      log,
      clock,
      node,
      root: paths.kubelet,
      tls: options.kubeletTls,
      onTlsChange: options.onKubeletTlsChange,
      clusterDns: { servers: [options.clusterDns.address], domain: options.clusterDns.domain },
      ...(options.resolvConf === undefined ? {} : { resolvConf: options.resolvConf }),
    }),
    ...(options.disabled.kubeProxy ? [] : [serviceProxy(options)]),
  ];
}

/** The network of this node's Pods, and the one between nodes. */
function podNetwork(options: AgentOptions): Component[] {
  const { client, node, clock, log } = options;
  const { backend, iface } = options.flannel;
  const clusterCIDRs = [options.clusterCIDR];
  if (backend === 'none') return [createForeignNetwork({ clusterCIDRs, log })];
  const flannel = createFlannel({ client, nodeName: node.name, nodeIPs: node.ips, backend, iface, clock, log });
  const network = createPodNetwork({
    client,
    nodeName: node.name,
    dataDir: options.paths.dataDir,
    clusterCIDRs,
    serviceCIDRs: [options.serviceCIDR],
    mtu: flannel.mtu,
    ...(options.runtimeSocket === undefined ? {} : { cniDir: HOST_CNI_DIR }),
    clock,
    log,
  });
  return [flannel, network];
}

function clusterDns(options: AgentOptions): Component {
  const { client, clock, log, resolvConf } = options;
  return createDns({
    client,
    address: options.clusterDns.address,
    domain: options.clusterDns.domain,
    ownCIDRs: [options.clusterCIDR, options.serviceCIDR],
    clock,
    log,
    ...(resolvConf === undefined ? {} : { resolvConf }),
  });
}

function serviceProxy({
  client,
  node,
  clusterCIDR,
  serviceCIDR,
  disabled,
  clusterDns,
  clock,
  log,
}: AgentOptions): Component {
  return createProxy({
    client,
    nodeName: node.name,
    clusterCIDRs: [clusterCIDR],
    serviceCIDRs: [serviceCIDR],
    servedHere: disabled.clusterDNS ? [] : [clusterDns.address],
    clock,
    log,
  });
}

/** kedge's own containerd with its images, or a runtime that somebody else runs. */
function containerRuntime(options: AgentOptions): { runtime: Component[]; cri: () => CriClient } {
  const { paths, clock, log, runtimeSocket } = options;
  if (runtimeSocket === undefined) {
    const containerd = new Containerd({
      dataDir: paths.dataDir,
      log,
      clock,
      cni: options.flannel.backend === 'none' ? { confDir: HOST_CNI_DIR, binDir: HOST_CNI_BIN_DIR } : undefined,
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

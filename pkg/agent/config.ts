import type { ProxyMode } from '../network/proxy/service-actor.ts';
import type { Snapshotter } from './containerd-config.ts';

/** What `kedge agent` was told to do: complete, checked, and without any trace of where each value came from. */
export interface AgentConfig {
  readonly debug: boolean;
  readonly dataDir: string;
  /** `https://host:port` of a server; undefined on a machine that has joined before. */
  readonly server: string | undefined;
  /** The join token; undefined on a machine that has joined before. */
  readonly token: string | undefined;
  readonly node: NodeConfig;
}

/** What the node part of kedge was told to do. */
export interface NodeConfig {
  readonly name: string;
  /** Set when the node registers for the first time. */
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly NodeTaint[];
  /** The address of the node; found by the default route when undefined. */
  readonly ip: string | undefined;
  /** The address by which the world reaches the node, if it has one. */
  readonly externalIP: string | undefined;
  /** The network device other nodes are reached by; that of the node's address when undefined. */
  readonly flannelIface: string | undefined;
  /** What carries Services out; `auto`: IPVS where the kernel has it. */
  readonly proxyMode: ProxyMode | 'auto';
  /** Path of an existing container runtime's socket; kedge starts its own containerd when undefined. */
  readonly containerRuntimeSocket: string | undefined;
  /** File that Pods' name servers are taken from; the host's when undefined. */
  readonly resolvConf: string | undefined;
  /** The image that holds a Pod's namespaces; the one inside the executable when undefined. */
  readonly pauseImage: string | undefined;
  readonly snapshotter: Snapshotter;
}

export interface NodeTaint {
  readonly key: string;
  readonly value: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

import type { Snapshotter } from '../agent/containerd-config.ts';
import type { FlannelBackend } from '../network/flannel/annotations.ts';

/** What `kedge server` was told to do: complete, checked, and without any trace of where each value came from. */
export interface ServerConfig {
  readonly debug: boolean;
  readonly dataDir: string;
  /** Address the API server listens on; `0.0.0.0` or `::` for all. */
  readonly bindAddress: string;
  readonly httpsListenPort: number;
  /** Address that members of the cluster are told to reach the API server at; the node's own when undefined. */
  readonly advertiseAddress: string | undefined;
  /** More host names and addresses for the API server's certificate. */
  readonly tlsSANs: readonly string[];
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  /** Both ends are included. */
  readonly serviceNodePortRange: { readonly first: number; readonly last: number };
  /** The network between nodes. */
  readonly flannelBackend: FlannelBackend;
  readonly clusterDNS: string;
  readonly clusterDomain: string;
  readonly kubeconfig: { readonly path: string; readonly mode: number };
  /** The folder on every node that holds the volumes of the class `local-path`. */
  readonly localStoragePath: string;
  /** The join token; kedge keeps the one in its data directory, or makes one, when undefined. */
  readonly token: string | undefined;
  /** What agents join with; the same as `token` when undefined. */
  readonly agentToken: string | undefined;
  /** Parts that are not to run. */
  readonly disabled: {
    readonly scheduler: boolean;
    readonly controllerManager: boolean;
    readonly agent: boolean;
    readonly kubeProxy: boolean;
    readonly clusterDNS: boolean;
    /** metrics.k8s.io, as k3s's metrics-server. */
    readonly metricsAPI: boolean;
    /** The addresses of LoadBalancer Services. */
    readonly serviceLB: boolean;
    readonly localStorage: boolean;
  };
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
  /** The network device other nodes are reached by; that of the node's address when undefined. */
  readonly flannelIface: string | undefined;
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

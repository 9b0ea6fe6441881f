import type { NodeConfig } from '../agent/config.ts';
import type { ApiServerSettings } from '../apiserver/settings.ts';
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
  /** How long the certificates of servers and nodes live. */
  readonly certificateLifetimeMs: number;
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
  /** How this server is one of several. */
  readonly cluster: {
    /** Keep the data in etcd. */
    readonly init: boolean;
    /** A server of the cluster to join: `https://host:port`. */
    readonly server: string | undefined;
    /** Make this the only member, then end. */
    readonly reset: boolean;
    /** The snapshot to begin from, with `reset`. */
    readonly restorePath: string | undefined;
  };
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
  readonly apiServer: ApiServerSettings;
  readonly node: NodeConfig;
}

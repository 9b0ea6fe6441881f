import { join } from 'node:path';

/** Where kedge keeps its files below the data directory; the one place that names them. */
export interface Paths {
  readonly dataDir: string;
  /** Server: certificates and keys. */
  readonly tls: string;
  /** Server: the libSQL file. */
  readonly database: string;
  /** Server: etcd's data and what belongs to it, where there are several servers. */
  readonly etcd: string;
  readonly etcdTls: string;
  readonly snapshots: string;
  /** Server: the join token of servers and agents, that of agents only, and k3s' old name of the latter. */
  readonly token: string;
  readonly agentToken: string;
  readonly nodeToken: string;
  /** Server: manifests found here are applied; and what is known of those that were. */
  readonly manifests: string;
  readonly manifestsState: string;
  /** Node: everything of the agent. */
  readonly agent: string;
  /** Node: what it knows of its cluster. */
  readonly membership: string;
  /** Node: proves that its name is this machine's; not below the data directory, which it outlives. */
  readonly nodePassword: string;
  /** Node: tar archives found here are imported into the container runtime. */
  readonly images: string;
  readonly containerdRoot: string;
  readonly containerdConfig: string;
  readonly containerdLog: string;
  readonly cniConf: string;
  /** Node: the kubelet's root: `pods/<uid>/volumes/…`. */
  readonly kubelet: string;
  /** Node: the folders of the volumes of the class `local-path`. */
  readonly storage: string;
  /** Native addons unpacked from the executable. */
  readonly native: string;
}

export const DEFAULT_DATA_DIR = '/var/lib/kedge';
/** Settings, environment files and the administrator's kubeconfig. */
export const CONFIG_DIR = '/etc/kedge';
export const DEFAULT_CONFIG_FILE = join(CONFIG_DIR, 'config.yaml');
export const DEFAULT_KUBECONFIG = join(CONFIG_DIR, 'kedge.yaml');
const NODE_PASSWORD_FILE = join(CONFIG_DIR, 'node', 'password');
/** Runtime state that a reboot may clear: sockets and containerd's state. */
export const RUN_DIR = '/run/kedge';
/** Container logs, where log collectors look for them: `<namespace>_<pod>_<uid>/<container>/<n>.log`. */
export const POD_LOG_DIR = '/var/log/pods';
/** Links `<pod>_<namespace>_<container>-<id>.log` to the files below POD_LOG_DIR, as upstream's kubelet makes them. */
export const CONTAINER_LOG_DIR = '/var/log/containers';

/** The files below `dataDir`. */
export function pathsFor(dataDir: string): Paths {
  const agent = join(dataDir, 'agent');
  return {
    dataDir,
    tls: join(dataDir, 'server', 'tls'),
    database: join(dataDir, 'server', 'db', 'state.db'),
    etcd: join(dataDir, 'server', 'db', 'etcd'),
    etcdTls: join(dataDir, 'server', 'tls', 'etcd'),
    snapshots: join(dataDir, 'server', 'db', 'snapshots'),
    token: join(dataDir, 'server', 'token'),
    agentToken: join(dataDir, 'server', 'agent-token'),
    nodeToken: join(dataDir, 'server', 'node-token'),
    manifests: join(dataDir, 'server', 'manifests'),
    manifestsState: join(dataDir, 'server', 'manifests.json'),
    agent,
    membership: join(agent, 'cluster.json'),
    nodePassword: NODE_PASSWORD_FILE,
    images: join(agent, 'images'),
    containerdRoot: join(agent, 'containerd'),
    containerdConfig: join(agent, 'etc', 'containerd', 'config.toml'),
    containerdLog: join(agent, 'containerd', 'containerd.log'),
    cniConf: join(agent, 'etc', 'cni', 'net.d'),
    kubelet: join(agent, 'kubelet'),
    storage: join(dataDir, 'storage'),
    native: join(dataDir, 'native'),
  };
}

/** Ports kedge listens on. */
export const PORTS = { apiserver: 6443, kubelet: 10250, nodePorts: { first: 30000, last: 32767 } } as const;

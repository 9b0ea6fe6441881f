import { DEFAULT_CONFIG_FILE, DEFAULT_DATA_DIR, DEFAULT_KUBECONFIG } from '../../pkg/base/paths.ts';

/** One setting of a command: a flag, an environment variable and a key of the config file at once. */
export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** `list` flags may be given more than once; one value may hold several, separated by commas. */
  readonly kind: 'string' | 'boolean' | 'list';
  /** What stands for the value in the help. */
  readonly placeholder?: string;
  /** The value when nobody sets one, in the form it would be given. */
  readonly default?: string;
  /** What the help says of a default that is worked out at start. */
  readonly defaultText?: string;
  readonly description: string;
  readonly group: string;
  /** Only needed by tests and unusual set-ups: left out of the help, but documented. */
  readonly hidden?: boolean;
  /** The environment variable, where k3s's name does not follow from the flag's. */
  readonly env?: string;
}

/** Where every kedge finds and leaves its things. */
export const PLACE_FLAGS = [
  {
    name: 'config',
    short: 'c',
    kind: 'string',
    placeholder: 'file',
    default: DEFAULT_CONFIG_FILE,
    env: 'KEDGE_CONFIG_FILE',
    description: 'config file; <file>.d/*.yaml are read after it',
    group: 'Config',
  },
  { name: 'debug', kind: 'boolean', default: 'false', description: 'log more', group: 'Config' },
  {
    name: 'data-dir',
    short: 'd',
    kind: 'string',
    placeholder: 'dir',
    default: DEFAULT_DATA_DIR,
    description: 'where kedge keeps everything that outlives a restart',
    group: 'Config',
  },
] as const satisfies readonly Flag[];

const FLANNEL_IFACE = {
  name: 'flannel-iface',
  kind: 'string',
  placeholder: 'device',
  defaultText: 'that of the node IP',
  description: 'network device by which other nodes are reached',
  group: 'Network',
} as const satisfies Flag;

const PROXY_MODE = {
  name: 'proxy-mode',
  kind: 'string',
  placeholder: 'mode',
  default: 'auto',
  description: 'what serves Services: ipvs, nftables, or auto (IPVS where the kernel has it)',
  group: 'Network',
} as const satisfies Flag;

/** The settings of a node, beside its server or alone. */
const NODE_FLAGS = [
  {
    name: 'node-name',
    kind: 'string',
    placeholder: 'name',
    defaultText: 'the host name',
    description: 'name of the node',
    group: 'Node',
  },
  {
    name: 'node-label',
    kind: 'list',
    placeholder: 'key=value',
    description: 'label of the node, set when it registers',
    group: 'Node',
  },
  {
    name: 'node-taint',
    kind: 'list',
    placeholder: 'key=value:effect',
    description: 'taint of the node, set when it registers',
    group: 'Node',
  },
  {
    name: 'node-ip',
    short: 'i',
    kind: 'string',
    placeholder: 'ip',
    defaultText: 'the address of the default route',
    description: 'address of the node',
    group: 'Node',
  },
  {
    name: 'node-external-ip',
    kind: 'string',
    placeholder: 'ip',
    description: 'address by which the world reaches the node',
    group: 'Node',
  },
  {
    name: 'resolv-conf',
    kind: 'string',
    placeholder: 'file',
    defaultText: "the host's",
    description: 'file that the name servers of Pods are taken from',
    group: 'Node',
  },
  {
    name: 'container-runtime-endpoint',
    kind: 'string',
    placeholder: 'socket',
    defaultText: 'a containerd of its own',
    description: 'socket of a container runtime that runs already',
    group: 'Runtime',
  },
  {
    name: 'pause-image',
    kind: 'string',
    placeholder: 'image',
    defaultText: 'the built-in one',
    description: "image that holds a Pod's namespaces",
    group: 'Runtime',
  },
  {
    name: 'snapshotter',
    kind: 'string',
    placeholder: 'name',
    default: 'overlayfs',
    description: 'snapshotter of containerd: overlayfs or native',
    group: 'Runtime',
  },
] as const satisfies readonly Flag[];

/** The settings of `kedge server`; names and defaults are k3s's. docs/flags.md lists the same. */
export const SERVER_FLAGS = [
  ...PLACE_FLAGS,
  {
    name: 'bind-address',
    kind: 'string',
    placeholder: 'ip',
    default: '0.0.0.0',
    description: 'address the API server listens on',
    group: 'Listener',
  },
  {
    name: 'https-listen-port',
    kind: 'string',
    placeholder: 'port',
    default: '6443',
    description: 'port the API server listens on',
    group: 'Listener',
  },
  {
    name: 'advertise-address',
    kind: 'string',
    placeholder: 'ip',
    defaultText: 'the node IP',
    description: "address of the API server in the cluster's own `kubernetes` Service",
    group: 'Listener',
  },
  {
    name: 'tls-san',
    kind: 'list',
    placeholder: 'name',
    description: "further host name or IP address for the API server's certificate",
    group: 'Listener',
  },
  {
    name: 'certificate-lifetime',
    kind: 'string',
    placeholder: 'duration',
    default: '8760h',
    description: 'how long certificates of servers and nodes live; they are renewed in the last third of it',
    group: 'Listener',
    hidden: true,
  },
  {
    name: 'cluster-cidr',
    kind: 'string',
    placeholder: 'cidr',
    default: '10.42.0.0/16',
    description: 'addresses of Pods',
    group: 'Network',
  },
  {
    name: 'service-cidr',
    kind: 'string',
    placeholder: 'cidr',
    default: '10.43.0.0/16',
    description: 'addresses of Services',
    group: 'Network',
  },
  {
    name: 'flannel-backend',
    kind: 'string',
    placeholder: 'name',
    default: 'vxlan',
    description: 'network between nodes: vxlan, host-gw, or none (somebody else brings the network of Pods)',
    group: 'Network',
  },
  FLANNEL_IFACE,
  PROXY_MODE,
  {
    name: 'service-node-port-range',
    kind: 'string',
    placeholder: 'first-last',
    default: '30000-32767',
    description: 'ports of NodePort Services',
    group: 'Network',
  },
  {
    name: 'cluster-dns',
    kind: 'string',
    placeholder: 'ip',
    defaultText: 'the tenth address of the service CIDR',
    description: 'address of the cluster DNS; lies inside the service CIDR',
    group: 'Network',
  },
  {
    name: 'cluster-domain',
    kind: 'string',
    placeholder: 'domain',
    default: 'cluster.local',
    description: 'DNS domain of the cluster',
    group: 'Network',
  },
  {
    name: 'write-kubeconfig',
    short: 'o',
    kind: 'string',
    placeholder: 'file',
    default: DEFAULT_KUBECONFIG,
    env: 'KEDGE_KUBECONFIG_OUTPUT',
    description: "where the administrator's kubeconfig is written",
    group: 'Client',
  },
  {
    name: 'write-kubeconfig-mode',
    kind: 'string',
    placeholder: 'mode',
    default: '600',
    env: 'KEDGE_KUBECONFIG_MODE',
    description: 'permissions of that file, in octal',
    group: 'Client',
  },
  {
    name: 'token',
    short: 't',
    kind: 'string',
    placeholder: 'token',
    defaultText: 'generated once',
    description: 'secret that lets nodes join',
    group: 'Cluster',
  },
  {
    name: 'token-file',
    kind: 'string',
    placeholder: 'file',
    description: 'file that holds the token',
    group: 'Cluster',
  },
  {
    name: 'agent-token',
    kind: 'string',
    placeholder: 'token',
    defaultText: 'the token',
    description: 'secret that lets agents join, but no servers',
    group: 'Cluster',
  },
  {
    name: 'agent-token-file',
    kind: 'string',
    placeholder: 'file',
    description: 'file that holds the agent token',
    group: 'Cluster',
  },
  {
    name: 'cluster-init',
    kind: 'boolean',
    default: 'false',
    description: 'begin a cluster of several servers: keep its data in etcd; data of a single server moves over',
    group: 'Cluster',
  },
  {
    name: 'server',
    kind: 'string',
    placeholder: 'url',
    short: 's',
    env: 'KEDGE_URL',
    description: 'server of a cluster that this one joins as a further server: https://host:6443',
    group: 'Cluster',
  },
  {
    name: 'cluster-reset',
    kind: 'boolean',
    default: 'false',
    description: 'make this server the only member of its etcd, then end',
    group: 'Cluster',
  },
  {
    name: 'cluster-reset-restore-path',
    kind: 'string',
    placeholder: 'file',
    description: 'with --cluster-reset: snapshot that the cluster begins from',
    group: 'Cluster',
  },
  {
    name: 'kube-apiserver-arg',
    kind: 'list',
    placeholder: 'name=value',
    description: "flag of upstream's kube-apiserver, without dashes: name=value; docs/flags.md lists those there are",
    group: 'Components',
  },
  {
    name: 'disable',
    kind: 'list',
    placeholder: 'name',
    description:
      'packaged component that is not to run: coredns (the cluster DNS), metrics-server (kubectl top), servicelb (addresses of LoadBalancer Services), local-storage (the storage class local-path)',
    group: 'Components',
  },
  {
    name: 'disable-kube-proxy',
    kind: 'boolean',
    default: 'false',
    description: 'do not run the Service proxy',
    group: 'Components',
  },
  {
    name: 'disable-scheduler',
    kind: 'boolean',
    default: 'false',
    description: 'do not run the scheduler',
    group: 'Components',
  },
  {
    name: 'disable-controller-manager',
    kind: 'boolean',
    default: 'false',
    description: 'do not run the controllers',
    group: 'Components',
    hidden: true,
  },
  {
    name: 'disable-agent',
    kind: 'boolean',
    default: 'false',
    description: 'run no node here: control plane only',
    group: 'Components',
    hidden: true,
  },
  {
    name: 'default-local-storage-path',
    kind: 'string',
    placeholder: 'dir',
    defaultText: '<data-dir>/storage',
    description: 'folder on every node for the volumes of the storage class local-path',
    group: 'Components',
  },
  ...NODE_FLAGS,
] as const satisfies readonly Flag[];

/** The settings of `kedge agent`, likewise. */
export const AGENT_FLAGS = [
  ...PLACE_FLAGS,
  {
    name: 'server',
    short: 's',
    kind: 'string',
    placeholder: 'url',
    env: 'KEDGE_URL',
    description: 'address of a server, https://HOST:6443; needed to join',
    group: 'Cluster',
  },
  {
    name: 'token',
    short: 't',
    kind: 'string',
    placeholder: 'token',
    description: 'secret that lets this machine join; needed once',
    group: 'Cluster',
  },
  {
    name: 'token-file',
    kind: 'string',
    placeholder: 'file',
    description: 'file that holds the token',
    group: 'Cluster',
  },
  { ...FLANNEL_IFACE, group: 'Network' },
  { ...PROXY_MODE, group: 'Network' },
  ...NODE_FLAGS,
] as const satisfies readonly Flag[];

/** Every setting there is: one config file may serve a server and an agent. */
export const ALL_FLAGS: readonly Flag[] = [
  ...SERVER_FLAGS,
  ...AGENT_FLAGS.filter(({ name }) => !SERVER_FLAGS.some((flag) => flag.name === name)),
];

export type ServerFlagName = (typeof SERVER_FLAGS)[number]['name'];
export type AgentFlagName = (typeof AGENT_FLAGS)[number]['name'];

/** The environment variable that sets the flag. */
export function envName(flag: Flag): string {
  return flag.env ?? `KEDGE_${flag.name.toUpperCase().replaceAll('-', '_')}`;
}

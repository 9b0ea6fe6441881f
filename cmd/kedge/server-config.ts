import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { OperatorError } from '../../pkg/base/component.ts';
import { addressAt, containsAddress, formatAddress, formatCIDR, overlap, parseAddress } from '../../pkg/base/ip.ts';
import { PORTS, pathsFor } from '../../pkg/base/paths.ts';
import type { ServerConfig } from '../../pkg/server/config.ts';
import type { ServerFlagName } from './flags.ts';
import type { Setting, Settings } from './settings.ts';
import * as value from './values.ts';

/** Components that k3s packages; what kedge has no part for is accepted and never runs. */
const packagedComponent = value.oneOf('coredns', 'servicelb', 'traefik', 'local-storage', 'metrics-server');

/** How each flag's text is read. */
const SERVER_SCHEMA = z.object({
  config: z.string(),
  debug: value.flagBoolean,
  'data-dir': value.absolutePath,
  'bind-address': value.ipAddress,
  'https-listen-port': value.port,
  'advertise-address': value.ipAddress.optional(),
  'tls-san': z.array(value.hostOrAddress).default([]),
  'cluster-cidr': value.ipv4Block,
  'service-cidr': value.ipv4Block,
  'flannel-backend': value.oneOf('vxlan', 'host-gw', 'none'),
  'flannel-iface': value.networkDevice.optional(),
  'service-node-port-range': value.portRange,
  'cluster-dns': value.ipAddress.optional(),
  'cluster-domain': value.domainName,
  'write-kubeconfig': value.absolutePath,
  'write-kubeconfig-mode': value.fileMode,
  token: value.joinToken.optional(),
  'token-file': value.existingFile.optional(),
  'agent-token': value.joinToken.optional(),
  'agent-token-file': value.existingFile.optional(),
  disable: z.array(packagedComponent).default([]),
  'disable-kube-proxy': value.flagBoolean,
  'disable-scheduler': value.flagBoolean,
  'disable-controller-manager': value.flagBoolean,
  'disable-agent': value.flagBoolean,
  'default-local-storage-path': value.absolutePath.optional(),
  'node-name': value.domainName.optional(),
  'node-label': z.array(value.nodeLabel).default([]),
  'node-taint': z.array(value.nodeTaint).default([]),
  'node-ip': value.ipAddress.optional(),
  'resolv-conf': value.existingFile.optional(),
  'container-runtime-endpoint': value.runtimeSocket.optional(),
  'pause-image': z.string().min(1, 'is empty').optional(),
  snapshotter: value.oneOf('overlayfs', 'native'),
} satisfies Record<ServerFlagName, z.ZodType>);

type ServerValues = z.output<typeof SERVER_SCHEMA>;

const LIST_FLAGS: ReadonlySet<string> = new Set(['tls-san', 'disable', 'node-label', 'node-taint']);

/** Checks all settings, each for itself and against each other. Throws OperatorError naming the first bad one. */
export function serverConfig(settings: Settings): ServerConfig {
  const raw = Object.fromEntries(
    [...settings].map(([name, setting]) => [name, LIST_FLAGS.has(name) ? setting.values : setting.values.at(-1)]),
  );
  const result = SERVER_SCHEMA.safeParse(raw);
  if (!result.success) throw firstProblem(result.error, settings);
  const values = result.data;
  const clusterDNS = clusterDNSAddress(values, settings);
  checkNetwork(values, settings);
  return {
    debug: values.debug,
    dataDir: values['data-dir'],
    bindAddress: values['bind-address'],
    httpsListenPort: values['https-listen-port'],
    advertiseAddress: values['advertise-address'],
    tlsSANs: values['tls-san'],
    clusterCIDR: formatCIDR(values['cluster-cidr']),
    serviceCIDR: formatCIDR(values['service-cidr']),
    serviceNodePortRange: values['service-node-port-range'],
    flannelBackend: values['flannel-backend'],
    clusterDNS,
    clusterDomain: values['cluster-domain'],
    kubeconfig: { path: values['write-kubeconfig'], mode: values['write-kubeconfig-mode'] },
    localStoragePath: values['default-local-storage-path'] ?? pathsFor(values['data-dir']).storage,
    token: tokenOf(values, settings, 'token'),
    agentToken: tokenOf(values, settings, 'agent-token'),
    disabled: {
      scheduler: values['disable-scheduler'],
      controllerManager: values['disable-controller-manager'],
      agent: values['disable-agent'],
      kubeProxy: values['disable-kube-proxy'],
      clusterDNS: values.disable.includes('coredns'),
      metricsAPI: values.disable.includes('metrics-server'),
      serviceLB: values.disable.includes('servicelb'),
      localStorage: values.disable.includes('local-storage'),
    },
    node: {
      name: values['node-name'] ?? nameOfHost(),
      labels: Object.fromEntries(values['node-label'].map(({ key, value: text }) => [key, text])),
      taints: values['node-taint'],
      ip: values['node-ip'],
      flannelIface: values['flannel-iface'],
      containerRuntimeSocket: values['container-runtime-endpoint'],
      resolvConf: values['resolv-conf'],
      pauseImage: values['pause-image'],
      snapshotter: values.snapshotter,
    },
  };
}

function originOf(settings: Settings, name: ServerFlagName): string {
  return settings.get(name)?.origin ?? `--${name}`;
}

function firstProblem(error: z.ZodError, settings: Settings): OperatorError {
  const issue = error.issues[0];
  const [name = '', index] = issue?.path ?? [];
  const setting: Setting | undefined = settings.get(String(name));
  const shown = typeof index === 'number' ? setting?.values[index] : setting?.values.at(-1);
  // A secret does not belong on the terminal or in the journal.
  const text = name === 'token' || name === 'agent-token' ? ' the value' : ` ${JSON.stringify(shown ?? '')}`;
  return new OperatorError(`${setting?.origin ?? String(name)}:${text} ${issue?.message ?? 'is not valid'}`);
}

function clusterDNSAddress(values: ServerValues, settings: Settings): string {
  const serviceCIDR = values['service-cidr'];
  const shown = formatCIDR(serviceCIDR);
  if (serviceCIDR.prefix < 8 || serviceCIDR.prefix > 28) {
    throw new OperatorError(
      `${originOf(settings, 'service-cidr')}: ${shown} is of no use; give a block from /8 to /28`,
    );
  }
  const given = values['cluster-dns'];
  if (given === undefined) return formatAddress(addressAt(serviceCIDR, 10n));
  const origin = originOf(settings, 'cluster-dns');
  const address = parseAddress(given);
  if (address === undefined || !containsAddress(serviceCIDR, address)) {
    throw new OperatorError(`${origin}: ${given} lies outside the service CIDR ${shown}; give an address inside it`);
  }
  if (address.value - serviceCIDR.base < 2n) {
    const first = formatAddress(addressAt(serviceCIDR, 1n));
    throw new OperatorError(
      `${origin}: ${given} is taken: ${first} belongs to the Service "kubernetes"; give a later one`,
    );
  }
  return given;
}

/** Every node gets a /24 of the cluster CIDR. */
const NODE_PREFIX = 24;

function checkNetwork(values: ServerValues, settings: Settings): void {
  const clusterCIDR = values['cluster-cidr'];
  const serviceCIDR = values['service-cidr'];
  if (clusterCIDR.prefix < 8 || clusterCIDR.prefix > NODE_PREFIX) {
    throw new OperatorError(
      `${originOf(settings, 'cluster-cidr')}: ${formatCIDR(clusterCIDR)} cannot be dealt out in blocks of /${NODE_PREFIX}; give a block from /8 to /${NODE_PREFIX}`,
    );
  }
  if (overlap(clusterCIDR, serviceCIDR)) {
    throw new OperatorError(
      `${originOf(settings, 'cluster-cidr')}: ${formatCIDR(clusterCIDR)} overlaps the service CIDR ${formatCIDR(serviceCIDR)}; give two blocks apart`,
    );
  }
  const { first, last } = values['service-node-port-range'];
  const taken = [values['https-listen-port'], PORTS.kubelet].find((port) => port >= first && port <= last);
  if (taken !== undefined) {
    throw new OperatorError(
      `${originOf(settings, 'service-node-port-range')}: ${first}-${last} holds port ${taken}, which kedge itself listens on; give a range without it`,
    );
  }
}

function tokenOf(values: ServerValues, settings: Settings, flag: 'token' | 'agent-token'): string | undefined {
  const fileFlag = `${flag}-file` as const;
  const file = values[fileFlag];
  if (file === undefined) return values[flag];
  const origin = originOf(settings, fileFlag);
  if (values[flag] !== undefined) {
    throw new OperatorError(`${origin} and ${originOf(settings, flag)} are both set; give one of them`);
  }
  const result = value.joinToken.safeParse(readFileSync(file, 'utf8').trim());
  if (!result.success) throw new OperatorError(`${origin}: what ${file} holds ${result.error.issues[0]?.message}`);
  return result.data;
}

function nameOfHost(): string {
  const name = hostname().toLowerCase();
  if (!value.domainName.safeParse(name).success) {
    throw new OperatorError(`the host name "${name}" cannot be a node's name: give one with --node-name`);
  }
  return name;
}

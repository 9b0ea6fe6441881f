import { z } from 'zod';
import { OperatorError } from '../../pkg/base/component.ts';
import { addressAt, containsAddress, formatAddress, formatCIDR, overlap, parseAddress } from '../../pkg/base/ip.ts';
import { PORTS, pathsFor } from '../../pkg/base/paths.ts';
import type { ServerConfig } from '../../pkg/server/config.ts';
import { apiServerSettings } from './api-server-args.ts';
import { SERVER_FLAGS, type ServerFlagName } from './flags.ts';
import { NODE_SCHEMA, nodeConfig } from './node-config.ts';
import { originOf, PLACE_SCHEMA, readSettings, tokenOf } from './read-settings.ts';
import type { Settings } from './settings.ts';
import * as value from './values.ts';

/** Components that k3s packages; what kedge has no part for is accepted and never runs. */
const packagedComponent = value.oneOf('coredns', 'servicelb', 'traefik', 'local-storage', 'metrics-server');

/** How each flag's text is read. */
const SERVER_SCHEMA = z.object({
  ...PLACE_SCHEMA,
  'bind-address': value.ipAddress,
  'https-listen-port': value.port,
  'advertise-address': value.ipAddress.optional(),
  'tls-san': z.array(value.hostOrAddress).default([]),
  'certificate-lifetime': value.lifetime,
  'cluster-cidr': value.ipv4Block,
  'service-cidr': value.ipv4Block,
  'flannel-backend': value.oneOf('vxlan', 'host-gw', 'none'),
  'service-node-port-range': value.portRange,
  'cluster-dns': value.ipAddress.optional(),
  'cluster-domain': value.domainName,
  'write-kubeconfig': value.absolutePath,
  'write-kubeconfig-mode': value.fileMode,
  token: value.joinToken.optional(),
  'token-file': value.existingFile.optional(),
  'agent-token': value.joinToken.optional(),
  'agent-token-file': value.existingFile.optional(),
  'cluster-init': value.flagBoolean,
  server: value.serverURL.optional(),
  'cluster-reset': value.flagBoolean,
  'cluster-reset-restore-path': value.existingFile.optional(),
  'kube-apiserver-arg': z.array(z.string()).default([]),
  disable: z.array(packagedComponent).default([]),
  'disable-kube-proxy': value.flagBoolean,
  'disable-scheduler': value.flagBoolean,
  'disable-controller-manager': value.flagBoolean,
  'disable-agent': value.flagBoolean,
  'default-local-storage-path': value.absolutePath.optional(),
  ...NODE_SCHEMA,
} satisfies Record<ServerFlagName, z.ZodType>);

type ServerValues = z.output<typeof SERVER_SCHEMA>;

/** Checks all settings, each for itself and against each other. Throws OperatorError naming the first bad one. */
export function serverConfig(settings: Settings): ServerConfig {
  const values = readSettings(SERVER_SCHEMA, SERVER_FLAGS, settings);
  const clusterDNS = clusterDNSAddress(values, settings);
  checkNetwork(values, settings);
  return {
    debug: values.debug,
    dataDir: values['data-dir'],
    bindAddress: values['bind-address'],
    httpsListenPort: values['https-listen-port'],
    advertiseAddress: values['advertise-address'],
    tlsSANs: values['tls-san'],
    certificateLifetimeMs: values['certificate-lifetime'],
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
    cluster: clusterOf(values, settings),
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
    apiServer: apiServerSettings(values['kube-apiserver-arg'], originOf(settings, 'kube-apiserver-arg')),
    node: nodeConfig(values),
  };
}

function clusterOf(values: ServerValues, settings: Settings): ServerConfig['cluster'] {
  const { server } = values;
  const init = values['cluster-init'];
  const reset = values['cluster-reset'];
  const restorePath = values['cluster-reset-restore-path'];
  const origin = (name: ServerFlagName): string => originOf(settings, name);
  if (server !== undefined && (init || reset)) {
    const other = init ? 'cluster-init' : 'cluster-reset';
    throw new OperatorError(
      `${origin('server')} and ${origin(other)} are both set: the first server of a cluster takes --cluster-init, the others --server`,
    );
  }
  if (restorePath !== undefined && !reset) {
    throw new OperatorError(`${origin('cluster-reset-restore-path')} works only together with --cluster-reset`);
  }
  if (server !== undefined && values.token === undefined && values['token-file'] === undefined) {
    throw new OperatorError(
      `${origin('server')} needs a token: give the line in server/token of a server with --token or --token-file`,
    );
  }
  return { init, server, reset, restorePath };
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
  const blocks = { 'cluster-cidr': clusterCIDR, 'service-cidr': serviceCIDR } as const;
  for (const flag of ['node-ip', 'advertise-address'] as const) {
    const address = parseAddress(values[flag] ?? '');
    for (const [block, cidr] of Object.entries(blocks)) {
      if (address === undefined || !containsAddress(cidr, address)) continue;
      throw new OperatorError(
        `${originOf(settings, flag)}: ${values[flag]} lies inside --${block} ${formatCIDR(cidr)}, whose addresses are Pods' and Services' alone; give another --${block}`,
      );
    }
  }
  const { first, last } = values['service-node-port-range'];
  const taken = [values['https-listen-port'], PORTS.kubelet].find((port) => port >= first && port <= last);
  if (taken !== undefined) {
    throw new OperatorError(
      `${originOf(settings, 'service-node-port-range')}: ${first}-${last} holds port ${taken}, which kedge itself listens on; give a range without it`,
    );
  }
}

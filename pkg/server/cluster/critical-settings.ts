import type { ServerConfig } from '../config.ts';

/** The settings all servers of a cluster have to agree in, by the name of their flag (k3s: critical flags). */
export function criticalSettings(config: ServerConfig): Record<string, string> {
  const { first, last } = config.serviceNodePortRange;
  return {
    'cluster-cidr': config.clusterCIDR,
    'service-cidr': config.serviceCIDR,
    'service-node-port-range': `${first}-${last}`,
    'cluster-dns': config.clusterDNS,
    'cluster-domain': config.clusterDomain,
    'flannel-backend': config.flannelBackend,
    disable: disabledComponents(config.disabled),
    'disable-kube-proxy': String(config.disabled.kubeProxy),
  };
}

/** What of the packaged components `--disable` leaves out: whichever server leads, they are the same. */
function disabledComponents(disabled: ServerConfig['disabled']): string {
  const components = {
    coredns: disabled.clusterDNS,
    'local-storage': disabled.localStorage,
    'metrics-server': disabled.metricsAPI,
    servicelb: disabled.serviceLB,
  };
  const names = Object.entries(components).flatMap(([name, isDisabled]) => (isDisabled ? [name] : []));
  return names.length === 0 ? 'nothing' : names.join(',');
}

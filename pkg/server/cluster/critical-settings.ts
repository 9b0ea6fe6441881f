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
    'disable-kube-proxy': String(config.disabled.kubeProxy),
  };
}

import type { Pod } from '../api/generated/core-v1.ts';

const LONGEST_HOSTNAME = 63;

export interface PodHostname {
  readonly hostname: string;
  /** `<subdomain>.<namespace>.svc.<cluster domain>`; empty without a subdomain. */
  readonly domain: string;
  /** What `hostname` says inside the Pod. */
  readonly kernelName: string;
}

/** The names a Pod has for itself. Host network Pods have the node's. */
export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const { hostnameOverride, hostname, subdomain = '', setHostnameAsFQDN } = pod.spec;
  if (hostnameOverride !== undefined) return { hostname: hostnameOverride, domain: '', kernelName: hostnameOverride };
  const name = hostname ?? pod.metadata.name;
  const own = name.slice(0, LONGEST_HOSTNAME).replace(/[-.]+$/, '');
  const domain = subdomain === '' ? '' : `${subdomain}.${pod.metadata.namespace ?? ''}.svc.${clusterDomain}`;
  const kernelName = setHostnameAsFQDN === true && domain !== '' ? `${own}.${domain}` : own;
  return { hostname: own, domain, kernelName };
}

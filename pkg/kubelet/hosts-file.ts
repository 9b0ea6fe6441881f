/** The /etc/hosts that containers of a Pod share. Pure. */
import type { HostAlias, Pod } from '../api/generated/core-v1.ts';
import { podHostname } from './pod-hostname.ts';

const LOCAL_ENTRIES = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'fe00::\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

function aliasLines(aliases: readonly HostAlias[]): string[] {
  if (aliases.length === 0) return [];
  const lines = aliases.map((alias) => [alias.ip, ...(alias.hostnames ?? [])].join('\t'));
  return ['', '# Entries added by HostAliases.', ...lines];
}

/**
 * The file's text: for a Pod on the host's network the host's own file (`hostFile`), otherwise the usual local names
 * and the Pod's own; hostAliases at the end of both.
 */
export function hostsFile(pod: Pod, podIPs: readonly string[], clusterDomain: string, hostFile: string): string {
  const aliases = aliasLines(pod.spec.hostAliases ?? []);
  if (pod.spec.hostNetwork === true) {
    const head = '# Kubernetes-managed hosts file (host network).\n';
    return `${head}${hostFile}${aliases.length === 0 ? '' : `${aliases.join('\n')}\n`}`;
  }
  const { hostname, domain } = podHostname(pod, clusterDomain);
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  const own = podIPs.map((ip) => `${ip}\t${names}`);
  return `${['# Kubernetes-managed hosts file.', ...LOCAL_ENTRIES, ...own, ...aliases].join('\n')}\n`;
}

/** Name resolution inside Pods: upstream kubelet's network/dns Configurer. Pure. */
import type { Pod } from '../api/generated/core-v1.ts';

/** What resolv.conf holds. */
export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface ClusterDns {
  readonly servers: readonly string[];
  /** `cluster.local`. */
  readonly domain: string;
}

const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_LENGTH = 2048;
const CLUSTER_OPTIONS = ['ndots:5'];

/** Reads resolv.conf; of several `search` or `options` lines the last counts, as the resolver has it. */
export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) servers.push(words[0]);
    else if (keyword === 'search') searches = words.map((word) => (word === '.' ? word : word.replace(/\.$/, '')));
    else if (keyword === 'options') options = words;
  }
  return { servers, searches, options };
}

function usesClusterDns(pod: Pod): boolean {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  return policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec.hostNetwork !== true);
}

function policyConfig(pod: Pod, cluster: ClusterDns, host: DnsConfig): DnsConfig {
  if (pod.spec.dnsPolicy === 'None') return { servers: [], searches: [], options: [] };
  if (!usesClusterDns(pod) || cluster.servers.length === 0) return host;
  const { domain } = cluster;
  const services = [`${pod.metadata.namespace ?? ''}.svc.${domain}`, `svc.${domain}`, domain];
  return { servers: cluster.servers, searches: [...services, ...host.searches], options: CLUSTER_OPTIONS };
}

function mergeOptions(pod: Pod, base: readonly string[]): string[] {
  const merged = new Map(base.map((option) => [option.split(':')[0] ?? '', option]));
  for (const { name = '', value } of pod.spec.dnsConfig?.options ?? []) {
    merged.set(name, value === undefined ? name : `${name}:${value}`);
  }
  return [...merged.values()];
}

function limitSearches(searches: readonly string[]): string[] {
  const kept: string[] = [];
  let length = 0;
  for (const search of searches) {
    length += search.length + (kept.length === 0 ? 0 : 1);
    if (kept.length === MAX_SEARCHES || length > MAX_SEARCH_LENGTH) break;
    kept.push(search);
  }
  return kept;
}

/** The Pod's resolv.conf, by its dnsPolicy and dnsConfig, within the resolver's limits. */
export function podDnsConfig(pod: Pod, cluster: ClusterDns, host: DnsConfig): DnsConfig {
  const base = policyConfig(pod, cluster, host);
  const { nameservers = [], searches = [] } = pod.spec.dnsConfig ?? {};
  return {
    servers: [...new Set([...base.servers, ...nameservers])].slice(0, MAX_SERVERS),
    searches: limitSearches([...new Set([...base.searches, ...searches])]),
    options: mergeOptions(pod, base.options),
  };
}

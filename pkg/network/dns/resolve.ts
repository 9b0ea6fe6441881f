import type { Service } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointPort } from '../../api/generated/discovery-v1.ts';
import { type Address, type CIDR, containsAddress, formatAddress, parseAddress } from '../../base/ip.ts';
import { type ClusterObjects, clusterIPsOf, isPublished } from './cluster-records.ts';
import { isEncodable, RCODES, type Reply, type ResourceRecord, TYPES } from './message.ts';

export interface ClusterZone {
  /** `cluster.local`. */
  readonly domain: string;
  /** The cluster DNS's own address. */
  readonly address: string;
  /** Addresses whose names only the cluster can know: asking the world for them would tell it about the cluster. */
  readonly ownCIDRs: readonly CIDR[];
  readonly objects: ClusterObjects;
}

export interface Resolution {
  readonly reply: Reply;
  /** The answer's last CNAME leads out of the cluster: its target is for upstreams to resolve. */
  readonly continueWith?: string;
}

/** Seconds, as upstream's CoreDNS configuration has them; node names change less. */
const TTL = 5;
const NODE_TTL = 60;
const LONGEST_ALIAS_CHAIN = 8;
/** The version of the Kubernetes DNS specification that is served. */
const SPECIFICATION = '1.1.0';

interface Target {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

/** What a name under the cluster domain stands for. */
type Found =
  | { readonly kind: 'none' }
  /** The name exists, with nothing at it but other names below it. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'alias'; readonly target: string }
  | { readonly kind: 'records'; readonly records: readonly ResourceRecord[] }
  | { readonly kind: 'targets'; readonly targets: readonly Target[] };

/**
 * Answers a question from the cluster's objects as the Kubernetes DNS specification says; undefined when the name is
 * not the cluster's and upstreams have to be asked. `name` is lower case without a final dot.
 */
export function resolveClusterName(zone: ClusterZone, name: string, type: number): Resolution | undefined {
  const { domain } = zone;
  if (name === domain || name.endsWith(`.${domain}`)) return resolveInZone(zone, name, type, 0);
  const reversed = addressOfReverseName(name);
  if (reversed !== undefined) return resolveReverse(zone, reversed, name, type);
  const node = zone.objects.node(name);
  if (node === undefined) return undefined;
  const addresses = (node.status.addresses ?? [])
    .filter((address) => address.type === 'InternalIP')
    .map((item) => item.address);
  return answer(zone, addressRecords(name, addresses, type, NODE_TTL));
}

function resolveInZone(zone: ClusterZone, name: string, type: number, depth: number): Resolution {
  const { domain } = zone;
  const labels = name === domain ? [] : name.slice(0, -domain.length - 1).split('.');
  const found = find(zone, labels);
  switch (found.kind) {
    case 'none':
      return { reply: { ...negative(zone), rcode: RCODES.NXDOMAIN } };
    case 'empty':
      return { reply: negative(zone) };
    case 'records':
      return answer(
        zone,
        found.records.filter((record) => type === TYPES.ANY || TYPES[record.type] === type),
      );
    case 'alias':
      return followAlias(zone, name, found.target, type, depth);
    case 'targets':
      return type === TYPES.SRV ? serviceRecords(zone, name, found.targets) : targetAddresses(zone, name, found, type);
  }
}

function targetAddresses(
  zone: ClusterZone,
  name: string,
  { targets }: { readonly targets: readonly Target[] },
  type: number,
): Resolution {
  const addresses = new Set(targets.flatMap((target) => target.addresses));
  return answer(zone, addressRecords(name, [...addresses], type, TTL));
}

/** The reading of the specification's names, `labels` being what stands before the cluster domain. */
function find(zone: ClusterZone, labels: readonly string[]): Found {
  const { objects, domain } = zone;
  const rest = labels.toReversed();
  const [area, namespace, second] = rest;
  if (area === undefined) return { kind: 'records', records: [soaRecord(zone), nsRecord(zone)] };
  if (area === 'dns-version' && labels.length === 1) {
    const record: ResourceRecord = { name: `dns-version.${domain}`, type: 'TXT', ttl: TTL, data: SPECIFICATION };
    return { kind: 'records', records: [record] };
  }
  if (area === 'dns') {
    const records = addressRecords(`ns.dns.${domain}`, [zone.address], TYPES.ANY, TTL);
    if (namespace === undefined) return { kind: 'empty' };
    return namespace === 'ns' && second === undefined ? { kind: 'records', records } : { kind: 'none' };
  }
  if (area !== 'svc' && area !== 'pod') return { kind: 'none' };
  if (namespace === undefined) return { kind: 'empty' };
  if (!objects.hasNamespace(namespace)) return { kind: 'none' };
  if (second === undefined) return { kind: 'empty' };
  if (area === 'pod') return labels.length === 3 ? podRecords(second, namespace, domain) : { kind: 'none' };
  const service = objects.service(second, namespace);
  return service === undefined ? { kind: 'none' } : findInService(zone, service, rest.slice(3));
}

/** `1-2-3-4.namespace.pod`: the address is in the name; as with CoreDNS' default nobody checks for the Pod. */
function podRecords(label: string, namespace: string, domain: string): Found {
  const dotted = /^\d+-\d+-\d+-\d+$/.test(label) ? label.replaceAll('-', '.') : label.replaceAll('-', ':');
  const address = parseAddress(dotted);
  if (address === undefined) return { kind: 'none' };
  const name = `${label}.${namespace}.pod.${domain}`;
  return { kind: 'records', records: addressRecords(name, [formatAddress(address)], TYPES.ANY, TTL) };
}

/** `below`: the labels before the Service's name, nearest first: an endpoint's name, or protocol and port. */
function findInService(zone: ClusterZone, service: Service, below: readonly string[]): Found {
  const { spec } = service;
  const name = serviceName(zone, service);
  if (spec.type === 'ExternalName') {
    return below.length === 0 && spec.externalName ? { kind: 'alias', target: spec.externalName } : { kind: 'none' };
  }
  const [first, second] = below;
  if (below.length === 1 && first !== undefined && !first.startsWith('_')) {
    const targets = endpointTargets(zone, service).filter((target) => target.name === `${first}.${name}`);
    return targets.length === 0 ? { kind: 'none' } : { kind: 'targets', targets };
  }
  const clusterIPs = clusterIPsOf(service);
  const ports = (spec.ports ?? []).map(({ name: port = '', protocol = 'TCP', port: number }) => {
    return { name: port, protocol: protocol.toLowerCase(), port: number };
  });
  const targets = clusterIPs.length > 0 ? [{ name, addresses: clusterIPs, ports }] : endpointTargets(zone, service);
  // A headless Service without endpoints has no name, as with CoreDNS.
  if (targets.length === 0) return { kind: 'none' };
  if (first === undefined) return { kind: 'targets', targets };
  if (below.length > 2 || !first.startsWith('_')) return { kind: 'none' };
  const named = targets
    .map((target) => ({
      ...target,
      ports: target.ports.filter(
        (port) =>
          `_${port.protocol}` === first && (second === undefined || (port.name !== '' && `_${port.name}` === second)),
      ),
    }))
    .filter((target) => target.ports.length > 0);
  if (named.length === 0) return { kind: 'none' };
  return second === undefined ? { kind: 'empty' } : { kind: 'targets', targets: named };
}

function serviceName(zone: ClusterZone, { metadata }: Service): string {
  return `${metadata.name}.${metadata.namespace}.svc.${zone.domain}`;
}

/** An endpoint's own label: its hostname, or its address with dashes. */
function endpointLabel({ hostname }: Endpoint, address: string): string {
  return hostname || address.replaceAll(/[.:]/g, '-');
}

function endpointTargets(zone: ClusterZone, service: Service): Target[] {
  const parent = serviceName(zone, service);
  const targets: Target[] = [];
  const { name, namespace = '' } = service.metadata;
  for (const slice of zone.objects.slices(name, namespace)) {
    if (slice.addressType === 'FQDN') continue;
    const ports = (slice.ports ?? []).flatMap(({ name: port = '', protocol = 'TCP', port: number }: EndpointPort) =>
      number === undefined ? [] : [{ name: port, protocol: protocol.toLowerCase(), port: number }],
    );
    for (const endpoint of slice.endpoints ?? []) {
      if (!isPublished(endpoint)) continue;
      for (const address of endpoint.addresses) {
        targets.push({ name: `${endpointLabel(endpoint, address)}.${parent}`, addresses: [address], ports });
      }
    }
  }
  return targets;
}

function serviceRecords(zone: ClusterZone, name: string, targets: readonly Target[]): Resolution {
  const count = targets.reduce((sum, target) => sum + target.ports.length, 0);
  const weight = Math.max(1, Math.floor(100 / Math.max(1, count)));
  const seen = new Set<string>();
  const answers: ResourceRecord[] = [];
  for (const target of targets) {
    for (const { port } of target.ports) {
      if (seen.has(`${target.name} ${port}`)) continue;
      seen.add(`${target.name} ${port}`);
      answers.push({ name, type: 'SRV', ttl: TTL, data: { priority: 0, weight, port, target: target.name } });
    }
  }
  const additionals = targets.flatMap((target) => addressRecords(target.name, target.addresses, TYPES.ANY, TTL));
  const result = answer(zone, answers);
  return answers.length === 0 ? result : { reply: { ...result.reply, additionals } };
}

function followAlias(zone: ClusterZone, name: string, external: string, type: number, depth: number): Resolution {
  const target = external.replace(/\.$/, '').toLowerCase();
  if (!isEncodable(target) || depth >= LONGEST_ALIAS_CHAIN) {
    return { reply: { ...negative(zone), rcode: RCODES.SERVFAIL, authorities: [] } };
  }
  const alias: ResourceRecord = { name, type: 'CNAME', ttl: TTL, data: target };
  const own = answer(zone, [alias]);
  if (type === TYPES.CNAME) return own;
  if (target !== zone.domain && !target.endsWith(`.${zone.domain}`)) return { ...own, continueWith: target };
  const next = resolveInZone(zone, target, type, depth + 1);
  return { ...next, reply: { ...next.reply, answers: [alias, ...next.reply.answers] } };
}

function resolveReverse(zone: ClusterZone, address: Address, name: string, type: number): Resolution | undefined {
  const ip = formatAddress(address);
  const targets = new Set<string>();
  for (const service of zone.objects.servicesWithIP(ip)) targets.add(serviceName(zone, service));
  if (targets.size === 0) {
    for (const slice of zone.objects.slicesWithIP(ip)) {
      const service = zone.objects.service(
        slice.metadata.labels?.['kubernetes.io/service-name'] ?? '',
        slice.metadata.namespace ?? '',
      );
      if (service === undefined) continue;
      for (const endpoint of slice.endpoints ?? []) {
        if (!endpoint.addresses.includes(ip) || !isPublished(endpoint)) continue;
        targets.add(`${endpointLabel(endpoint, ip)}.${serviceName(zone, service)}`);
      }
    }
  }
  if (targets.size === 0) {
    const own = zone.ownCIDRs.some((cidr) => containsAddress(cidr, address));
    return own ? { reply: { ...negative(zone), rcode: RCODES.NXDOMAIN } } : undefined;
  }
  const wanted = type === TYPES.PTR || type === TYPES.ANY;
  const records = wanted ? [...targets].map((data): ResourceRecord => ({ name, type: 'PTR', ttl: TTL, data })) : [];
  return answer(zone, records);
}

/** The address in `4.3.2.1.in-addr.arpa` or a whole `ip6.arpa` name. */
function addressOfReverseName(name: string): Address | undefined {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  if (v4 !== null) return parseAddress(v4.slice(1, 5).reverse().join('.'));
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (v6 === undefined) return undefined;
  const digits = v6.split('.').reverse().join('');
  return parseAddress((digits.match(/.{4}/g) ?? []).join(':'));
}

function addressRecords(name: string, addresses: readonly string[], type: number, ttl: number): ResourceRecord[] {
  return addresses.flatMap((address): ResourceRecord[] => {
    const own = address.includes(':') ? 'AAAA' : 'A';
    return type === TYPES.ANY || type === TYPES[own] ? [{ name, type: own, ttl, data: address }] : [];
  });
}

function soaRecord({ domain }: ClusterZone): ResourceRecord {
  const data = {
    mname: `ns.dns.${domain}`,
    rname: `hostmaster.${domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: TTL,
  };
  return { name: domain, type: 'SOA', ttl: TTL, data };
}

function nsRecord({ domain }: ClusterZone): ResourceRecord {
  return { name: domain, type: 'NS', ttl: TTL, data: `ns.dns.${domain}` };
}

function negative(zone: ClusterZone): Reply {
  const authorities = [soaRecord(zone)];
  return { rcode: RCODES.NOERROR, authoritative: true, answers: [], authorities, additionals: [] };
}

/** Without answers the name exists all the same: the SOA record tells how long that may be remembered. */
function answer(zone: ClusterZone, answers: readonly ResourceRecord[]): Resolution {
  return { reply: { ...negative(zone), answers, ...(answers.length > 0 && { authorities: [] }) } };
}

import type { Service, ServicePort } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { keyOf, objectKey } from '../../apimachinery/object-meta.ts';
import { protocolOf } from '../pod-table.ts';
import {
  type Backends,
  type ExternalAddress,
  type Ruleset,
  type ServiceEndpoint,
  sameItems,
  type VirtualService,
} from './ruleset.ts';

export interface PlanServicesInput {
  readonly family: 4 | 6;
  readonly services: Iterable<Service>;
  readonly endpointSlices: Iterable<EndpointSlice>;
  readonly nodeName: string;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  /** Cluster IPs this node answers by itself (cluster DNS): they must not be translated. */
  readonly servedHere: ReadonlySet<string>;
}

/** The label that names a slice's Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Services with one of these labels are another proxy's, or nobody's. */
const FOREIGN_LABELS = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'];
const DEFAULT_AFFINITY_SECONDS = 10_800;

interface PlannedService {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly planned: readonly VirtualService[];
}

/**
 * Plans one ruleset after another. What of it is the same as before is the same object, so that whoever carries it out
 * finds quickly what is not; Services whose objects did not change are not looked into.
 */
export class ServicePlanner {
  #known: ReadonlyMap<string, PlannedService> = new Map();

  /**
   * The ruleset of one address family; but for Services and slices `input` has to be the same each time. Selection of
   * endpoints is upstream kube-proxy's: the ready ones; when there is no ready one, those that are terminating and still
   * serving.
   */
  plan(input: PlanServicesInput): Ruleset {
    const { family, clusterCIDR, serviceCIDR } = input;
    const slices = slicesOfServices(input.endpointSlices, family);
    const known = new Map<string, PlannedService>();
    for (const service of input.services) {
      const key = objectKey(service);
      known.set(key, planService(service, slices.get(key) ?? [], input, this.#known.get(key)));
    }
    this.#known = known;
    const services = [...known.values()].flatMap(({ planned }) => planned);
    return { family, clusterCIDR, serviceCIDR, services };
  }
}

function slicesOfServices(endpointSlices: Iterable<EndpointSlice>, family: 4 | 6): Map<string, EndpointSlice[]> {
  const addressType = family === 4 ? 'IPv4' : 'IPv6';
  const slices = new Map<string, EndpointSlice[]>();
  for (const slice of endpointSlices) {
    const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (name === undefined || slice.addressType !== addressType) continue;
    const key = keyOf(slice.metadata.namespace, name);
    const known = slices.get(key);
    if (known === undefined) slices.set(key, [slice]);
    else known.push(slice);
  }
  return slices;
}

function planService(
  service: Service,
  slices: readonly EndpointSlice[],
  input: PlanServicesInput,
  before: PlannedService | undefined,
): PlannedService {
  if (before?.service === service && sameItems(before.slices, slices)) return before;
  const clusterIP = clusterIPOf(service, input.family);
  const ports = clusterIP === undefined ? [] : (service.spec.ports ?? []);
  const planned = ports.map((port, index) => {
    const made = planPort(service, port, clusterIP ?? '', slices, input);
    const old = before?.planned[index];
    // Many writes of a slice or a Service mean nothing to a proxy.
    return old !== undefined && JSON.stringify(old) === JSON.stringify(made) ? old : made;
  });
  return { service, slices, planned };
}

/** Undefined for Services that need no proxy: headless, ExternalName, another family's, another proxy's. */
function clusterIPOf(service: Service, family: 4 | 6): string | undefined {
  const { type, clusterIP, clusterIPs = [] } = service.spec;
  const labels = service.metadata.labels ?? {};
  if (type === 'ExternalName' || FOREIGN_LABELS.some((label) => label in labels)) return undefined;
  const all = clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ''];
  return all.find((ip) => ip !== '' && ip !== 'None' && isFamily(ip, family));
}

function isFamily(address: string, family: 4 | 6): boolean {
  return address.includes(':') === (family === 6);
}

function planPort(
  service: Service,
  port: ServicePort,
  clusterIP: string,
  slices: readonly EndpointSlice[],
  input: PlanServicesInput,
): VirtualService {
  const { spec } = service;
  const protocol = protocolOf(port.protocol);
  const { cluster, local } = selectEndpoints(slices, port, input.nodeName);
  const otherwise = cluster.length === 0 ? 'reject' : 'drop';
  const backends = (policy: string | undefined): Backends => ({
    endpoints: policy === 'Local' ? local : cluster,
    otherwise,
  });
  const affinity = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
  return {
    key: `${service.metadata.namespace}/${service.metadata.name}/${protocol}/${port.port}`,
    protocol,
    port: port.port,
    clusterIP: input.servedHere.has(clusterIP) ? undefined : clusterIP,
    externalAddresses: externalAddressesOf(service, input.family),
    nodePort: port.nodePort || undefined,
    internal: backends(spec.internalTrafficPolicy),
    external: backends(spec.externalTrafficPolicy),
    externalLocal: spec.externalTrafficPolicy === 'Local',
    cluster,
    affinitySeconds: spec.sessionAffinity === 'ClientIP' ? affinity : undefined,
  };
}

function externalAddressesOf(service: Service, family: 4 | 6): ExternalAddress[] {
  const { externalIPs = [], loadBalancerSourceRanges = [], type } = service.spec;
  const found: ExternalAddress[] = externalIPs.map((address) => ({ address, allowedSources: undefined }));
  if (type === 'LoadBalancer') {
    const ranges = loadBalancerSourceRanges.map((range) => range.trim()).filter((range) => isFamily(range, family));
    for (const { ip, ipMode } of service.status.loadBalancer?.ingress ?? []) {
      // With ipMode Proxy the balancer delivers to the nodes' own addresses.
      if (ip === undefined || ip === '' || ipMode === 'Proxy') continue;
      const allowedSources = loadBalancerSourceRanges.length > 0 ? ranges : undefined;
      if (!found.some(({ address }) => address === ip)) found.push({ address: ip, allowedSources });
    }
  }
  return found.filter(({ address }) => isFamily(address, family));
}

interface Candidate {
  readonly endpoint: ServiceEndpoint;
  readonly ready: boolean;
}

function selectEndpoints(
  slices: readonly EndpointSlice[],
  port: ServicePort,
  nodeName: string,
): { cluster: readonly ServiceEndpoint[]; local: readonly ServiceEndpoint[] } {
  // A Pod may be in two slices while the controller moves it; where they differ, ready wins.
  const candidates = new Map<string, Candidate>();
  for (const slice of slices) {
    const slicePort = slice.ports?.find(
      (other) => (other.name ?? '') === (port.name ?? '') && (other.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (slicePort?.port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const usable = usability(endpoint);
      const [address] = endpoint.addresses;
      if (usable === undefined || address === undefined) continue;
      const key = `${address} ${slicePort.port}`;
      if (candidates.get(key)?.ready === true) continue;
      const local = endpoint.nodeName === nodeName;
      candidates.set(key, { endpoint: { address, port: slicePort.port, local }, ready: usable === 'ready' });
    }
  }
  // Sorted, so that the order in which a controller lists them changes no rule.
  const sorted = [...candidates].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, candidate]) => candidate);
  return {
    cluster: preferReady(sorted),
    local: preferReady(sorted.filter(({ endpoint }) => endpoint.local)),
  };
}

/** Absent conditions mean yes for ready and serving, no for terminating. */
function usability({ conditions }: Endpoint): 'ready' | 'draining' | undefined {
  const { ready = true, serving = ready, terminating = false } = conditions ?? {};
  if (ready) return 'ready';
  return serving && terminating ? 'draining' : undefined;
}

function preferReady(candidates: readonly Candidate[]): ServiceEndpoint[] {
  const ready = candidates.filter((candidate) => candidate.ready);
  return (ready.length > 0 ? ready : candidates).map(({ endpoint }) => endpoint);
}

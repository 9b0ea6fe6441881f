/** Which nodes' addresses a LoadBalancer Service gets, as k3s's ServiceLB decides it. */
import type { LoadBalancerIngress, Node, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { getCondition, keyOf, objectKey } from '../../apimachinery/object-meta.ts';

export interface LoadBalancerView {
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  readonly endpointSlices: readonly EndpointSlice[];
  /** Ports that nodes need for the cluster itself. */
  readonly reservedPorts: ReadonlySet<number>;
}

export interface LoadBalancerPlan {
  readonly service: Service;
  /** Empty while the Service is to stay pending. */
  readonly ingress: readonly LoadBalancerIngress[];
  /** Why it gets no address although it wants one. */
  readonly problem: string | undefined;
}

/** Once a node is labelled `true`, only nodes so labelled serve. k3s's names are understood too. */
const ENABLE_LABELS = ['svccontroller.kedge.io/enablelb', 'svccontroller.k3s.cattle.io/enablelb'] as const;
/** Of nodes and of Services: a Service of a pool is served by that pool's nodes. */
const POOL_LABELS = ['svccontroller.kedge.io/lbpool', 'svccontroller.k3s.cattle.io/lbpool'] as const;
/** Upstream's: such a node takes no traffic from load balancers. */
const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';
const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

type Labels = Readonly<Record<string, string>> | undefined;

const labelOf = (labels: Labels, names: readonly string[]): string | undefined =>
  names.map((name) => labels?.[name]).find((value) => value !== undefined);

/** Whether the Service's addresses are this controller's business. */
export function isBalanced({ spec, metadata }: Service): boolean {
  return (
    spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined && metadata.deletionTimestamp === undefined
  );
}

/** The plan of every LoadBalancer Service without a class of its own. */
export function planLoadBalancers(view: LoadBalancerView): LoadBalancerPlan[] {
  const balanced = view.services.filter(isBalanced).sort(byPrecedence);
  const candidates = candidateNodes(view.nodes);
  const holders = new Map<string, Service>();
  return balanced.map((service) => {
    const nodes = nodesFor(service, candidates, view.endpointSlices);
    const problem = conflict(service, nodes, holders, view.reservedPorts);
    if (problem !== undefined) return { service, ingress: [], problem };
    for (const place of placesOf(service, nodes)) holders.set(place.key, service);
    const families = service.spec.ipFamilies ?? ['IPv4'];
    const ingress = nodes.flatMap((node) => addressesOf(node, families).map((ip) => ({ ip, ipMode: 'VIP' })));
    return { service, ingress, problem: undefined };
  });
}

/** Who serves already goes on serving; among the others the older comes first. */
function byPrecedence(a: Service, b: Service): number {
  const serves = ({ status }: Service): number => ((status.loadBalancer?.ingress ?? []).length > 0 ? 0 : 1);
  const age = ({ metadata }: Service): string => `${metadata.creationTimestamp ?? ''} ${objectKey({ metadata })}`;
  return serves(a) - serves(b) || (age(a) < age(b) ? -1 : 1);
}

function candidateNodes(nodes: readonly Node[]): Node[] {
  const usable = nodes.filter(
    ({ metadata, status }) =>
      getCondition(status.conditions, 'Ready')?.status === 'True' && metadata.labels?.[EXCLUDE_LABEL] === undefined,
  );
  const chosen = nodes.some(({ metadata }) => labelOf(metadata.labels, ENABLE_LABELS) === 'true');
  const allowed = usable.filter(({ metadata }) => {
    const enabled = labelOf(metadata.labels, ENABLE_LABELS);
    return chosen ? enabled === 'true' : enabled !== 'false';
  });
  return allowed.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

function nodesFor(service: Service, candidates: readonly Node[], slices: readonly EndpointSlice[]): Node[] {
  const pool = labelOf(service.metadata.labels, POOL_LABELS);
  const ofPool = candidates.filter(
    ({ metadata }) => pool === undefined || labelOf(metadata.labels, POOL_LABELS) === pool,
  );
  if (service.spec.externalTrafficPolicy !== 'Local') return ofPool;
  const key = objectKey(service);
  const serving = new Set(
    slices
      .filter(({ metadata }) => keyOf(metadata.namespace, metadata.labels?.[SERVICE_NAME_LABEL] ?? '') === key)
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .map(({ nodeName }) => nodeName),
  );
  return ofPool.filter(({ metadata }) => serving.has(metadata.name));
}

interface Place {
  /** `node/protocol/port`. */
  readonly key: string;
  readonly node: string;
  readonly port: number;
  readonly protocol: string;
}

function placesOf({ spec }: Service, nodes: readonly Node[]): Place[] {
  return nodes.flatMap(({ metadata: { name: node } }) =>
    (spec.ports ?? []).map(({ port, protocol = 'TCP' }) => ({
      key: `${node}/${protocol}/${port}`,
      node,
      port,
      protocol,
    })),
  );
}

function conflict(
  service: Service,
  nodes: readonly Node[],
  holders: ReadonlyMap<string, Service>,
  reserved: ReadonlySet<number>,
): string | undefined {
  const own = (service.spec.ports ?? []).find(({ port, protocol = 'TCP' }) => protocol === 'TCP' && reserved.has(port));
  if (own !== undefined) return `port ${own.port} belongs to the cluster itself on every node: choose another port`;
  for (const { key, node, port, protocol } of placesOf(service, nodes)) {
    const holder = holders.get(key);
    if (holder !== undefined) {
      return `port ${port}/${protocol} of node ${node} is taken by the LoadBalancer Service ${objectKey(holder)}: choose another port, or delete that Service`;
    }
  }
  return undefined;
}

/** A node's addresses of the given families: the external ones, or else the internal ones. */
function addressesOf({ status }: Node, families: readonly string[]): string[] {
  const of = (type: string): string[] =>
    (status.addresses ?? []).filter((address) => address.type === type).map(({ address }) => address);
  const external = of('ExternalIP');
  return families.flatMap((family) => {
    const isFamily = (address: string): boolean => address.includes(':') === (family === 'IPv6');
    const found = external.filter(isFamily);
    return found.length > 0 ? found : of('InternalIP').filter(isFamily).slice(0, 1);
  });
}

/** How a Service's endpoints are laid out over EndpointSlices with as few changes as possible; pure. */
import type { Node, Pod, Service } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { services } from '../../api/resources.ts';
import { apiVersionOf, type Input } from '../../api/types.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { stableStringify } from '../../apimachinery/hash.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { controllerReference, isControlledBy } from '../../apimachinery/object-meta.ts';
import { type AddressType, addressesOf, addressTypesOf, endpointOf, endpointPorts, isHeadless } from './endpoint.ts';

export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const CONTROLLER_NAME = 'endpointslice-controller.k8s.io';
export const SERVICE_NAME = 'kubernetes.io/service-name';
export const HEADLESS = 'service.kubernetes.io/headless';
const RESERVED: ReadonlySet<string> = new Set([MANAGED_BY, SERVICE_NAME, HEADLESS]);

const MOST_ENDPOINTS = 100;

export interface SliceView {
  readonly service: Service;
  /** The selected Pods that have an endpoint. */
  readonly pods: readonly Pod[];
  readonly nodeOf: (pod: Pod) => Node | undefined;
  /** The slices this controller made for the Service. */
  readonly existing: readonly EndpointSlice[];
}

export interface SlicePlan {
  readonly create: Input<EndpointSlice>[];
  readonly update: Input<EndpointSlice>[];
  readonly remove: EndpointSlice[];
}

/** A slice while it is being worked on. */
interface Layout {
  readonly slice: EndpointSlice;
  endpoints: Endpoint[];
  changed: boolean;
}

interface Group {
  readonly ports: EndpointPort[];
  readonly endpoints: Map<string, Endpoint>;
}

/** What to create, update and delete; updates and deletions are fewest when few Pods change, as upstream does it. */
export function planSlices(view: SliceView): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], remove: [] };
  const types = addressTypesOf(view.service);
  for (const slice of view.existing) {
    if (!types.some((type) => type === slice.addressType)) plan.remove.push(slice);
  }
  for (const type of types) planAddressType(view, type, plan);
  return reuse(view.service, plan);
}

function planAddressType(view: SliceView, type: AddressType, plan: SlicePlan): void {
  const { service } = view;
  const existing = view.existing.filter((slice) => slice.addressType === type);
  const owned = existing.filter((slice) => isControlledBy(slice, service));
  const groups = groupByPorts(view, type);
  const creates: Input<EndpointSlice>[] = [];
  const removes = existing.filter((slice) => !owned.includes(slice) || !groups.has(portsKey(slice.ports)));
  for (const [key, group] of groups) {
    const layouts = owned
      .filter((slice) => portsKey(slice.ports) === key)
      .map((slice): Layout => ({ slice, endpoints: [...(slice.endpoints ?? [])], changed: false }));
    const fresh = layOut(layouts, group.endpoints);
    for (const endpoints of fresh) creates.push(newSlice(service, type, group.ports, endpoints));
    for (const layout of layouts) {
      if (layout.endpoints.length === 0) removes.push(layout.slice);
      else if (layout.changed || !semanticEqual(layout.slice.metadata.labels, sliceLabels(service))) {
        plan.update.push(rewritten(layout, service));
      }
    }
  }
  if (creates.length === 0 && removes.length === existing.length) {
    // A Service always has a slice: an empty one says that there is nothing, its absence that nobody has looked yet.
    const placeholder = newSlice(service, type, [], []);
    const kept = removes.findIndex((slice) => isPlaceholder(slice, service));
    if (kept >= 0) removes.splice(kept, 1);
    else creates.push(placeholder);
  }
  plan.create.push(...creates);
  plan.remove.push(...removes);
}

function groupByPorts({ service, pods, nodeOf }: SliceView, type: AddressType): Map<string, Group> {
  const groups = new Map<string, Group>();
  const portless = isHeadless(service) && (service.spec.ports ?? []).length === 0;
  for (const pod of pods) {
    const addresses = addressesOf(pod, type);
    const ports = endpointPorts(pod, service);
    if (addresses.length === 0 || (ports.length === 0 && !portless)) continue;
    const key = portsKey(ports);
    let group = groups.get(key);
    if (group === undefined) {
      group = { ports, endpoints: new Map() };
      groups.set(key, group);
    }
    const endpoint = endpointOf(pod, service, addresses, nodeOf(pod));
    group.endpoints.set(endpointKey(endpoint), endpoint);
  }
  return groups;
}

/**
 * Fits `wanted` into `layouts`: what is gone leaves its slice, what is new goes where something changed anyway, then
 * into one slice with room for all of it. Returns the endpoints of the slices to create.
 */
function layOut(layouts: readonly Layout[], wanted: ReadonlyMap<string, Endpoint>): Endpoint[][] {
  const left = new Map(wanted);
  for (const layout of layouts) {
    layout.endpoints = layout.endpoints.flatMap((old) => {
      const key = endpointKey(old);
      const endpoint = left.get(key);
      left.delete(key);
      if (endpoint === undefined || !semanticEqual(old, endpoint)) layout.changed = true;
      return endpoint === undefined ? [] : [endpoint];
    });
  }
  const rest = [...left.values()];
  const byFullness = (a: Layout, b: Layout): number => b.endpoints.length - a.endpoints.length;
  for (const layout of layouts.filter(({ changed }) => changed).sort(byFullness)) {
    layout.endpoints.push(...rest.splice(0, MOST_ENDPOINTS - layout.endpoints.length));
  }
  const fresh: Endpoint[][] = [];
  while (rest.length > 0) {
    const roomy = layouts
      .filter(({ changed, endpoints }) => !changed && endpoints.length + rest.length <= MOST_ENDPOINTS)
      .sort(byFullness)[0];
    if (roomy === undefined) {
      fresh.push(rest.splice(0, MOST_ENDPOINTS));
    } else {
      roomy.endpoints.push(...rest.splice(0));
      roomy.changed = true;
    }
  }
  return fresh;
}

/** Turns pairs of a deletion and a creation into one update. */
function reuse(service: Service, { create, update, remove }: SlicePlan): SlicePlan {
  const kept = remove.filter((old) => {
    const index = create.findLastIndex(({ addressType }) => addressType === old.addressType);
    const slice = create[index];
    if (slice === undefined || !isControlledBy(old, service)) return true;
    create.splice(index, 1);
    update.push({
      ...old,
      metadata: { ...old.metadata, ...slice.metadata },
      endpoints: slice.endpoints,
      ports: slice.ports,
    });
    return false;
  });
  return { create, update, remove: kept };
}

function isPlaceholder(slice: EndpointSlice, service: Service): boolean {
  return (
    (slice.endpoints ?? []).length === 0 &&
    (slice.ports ?? []).length === 0 &&
    isControlledBy(slice, service) &&
    semanticEqual(slice.metadata.labels, sliceLabels(service))
  );
}

function rewritten({ slice, endpoints }: Layout, service: Service): Input<EndpointSlice> {
  return { ...slice, metadata: { ...slice.metadata, labels: sliceLabels(service) }, endpoints };
}

function newSlice(
  service: Service,
  addressType: AddressType,
  ports: EndpointPort[],
  endpoints: Endpoint[],
): Input<EndpointSlice> {
  const { name, namespace } = service.metadata;
  return {
    metadata: {
      generateName: isDns1123Subdomain(`${name}-a`).length === 0 ? `${name}-` : name,
      namespace,
      labels: sliceLabels(service),
      ownerReferences: [controllerReference(service, { apiVersion: apiVersionOf(services), kind: services.kind })],
    },
    addressType,
    ...(endpoints.length > 0 && { endpoints }),
    ...(ports.length > 0 && { ports }),
  };
}

/** The Service's own labels and those by which slices are found. */
function sliceLabels(service: Service): Record<string, string> {
  const own = Object.entries(service.metadata.labels ?? {}).filter(([key]) => !RESERVED.has(key));
  return {
    ...Object.fromEntries(own),
    ...(isHeadless(service) && { [HEADLESS]: '' }),
    [SERVICE_NAME]: service.metadata.name,
    [MANAGED_BY]: CONTROLLER_NAME,
  };
}

const endpointKey = ({ addresses, targetRef }: Endpoint): string =>
  `${addresses.join(',')} ${targetRef?.namespace ?? ''}/${targetRef?.name ?? ''}`;

function portsKey(ports: readonly EndpointPort[] | null | undefined): string {
  return (ports ?? []).map(stableStringify).sort().join();
}

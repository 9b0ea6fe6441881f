/** Which EndpointSlices say what an Endpoints object says; pure. */
import type { EndpointAddress, EndpointSubset, Endpoints } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpoints as endpointsType } from '../../api/resources.ts';
import { apiVersionOf, type Input } from '../../api/types.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { stableStringify } from '../../apimachinery/hash.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { controllerReference } from '../../apimachinery/object-meta.ts';
import { parseAddress } from '../../base/ip.ts';
import { MANAGED_BY, SERVICE_NAME } from '../endpointslice/slices.ts';
import { TRIGGER_TIME } from '../endpointslice/trigger-time.ts';

export const MIRROR_NAME = 'endpointslicemirroring-controller.k8s.io';
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';
/** Objects that old leader elections lock with are no endpoints. */
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Of one subset so many addresses are mirrored, and so many go into one slice; upstream's defaults. */
const MOST_ADDRESSES = 1000;

export interface MirrorPlan {
  readonly create: Input<EndpointSlice>[];
  readonly update: Input<EndpointSlice>[];
  readonly remove: readonly EndpointSlice[];
  /** Addresses that are none, and those beyond what is mirrored. */
  readonly invalid: number;
  readonly surplus: number;
}

interface Group {
  readonly addressType: string;
  readonly ports: EndpointPort[];
  readonly endpoints: Map<string, Endpoint>;
}

/** Whether somebody wrote the object to be mirrored, rather than a controller or a lock. */
export function isMirrored({ metadata: { labels = {}, annotations = {} } }: Endpoints): boolean {
  return labels[SKIP_MIRROR] !== 'true' && !(LEADER in annotations);
}

/** What to create, update and delete so that `existing`, the slices mirrored so far, say what `source` says. */
export function planMirror(source: Endpoints, existing: readonly EndpointSlice[]): MirrorPlan {
  const { groups, invalid, surplus } = groupsOf(source.subsets ?? []);
  const left = [...existing];
  const create: Input<EndpointSlice>[] = [];
  const update: Input<EndpointSlice>[] = [];
  for (const group of groups.values()) {
    const all = [...group.endpoints.values()];
    for (let start = 0; start < all.length; start += MOST_ADDRESSES) {
      const wanted = newSlice(source, group, all.slice(start, start + MOST_ADDRESSES));
      const fits = (slice: EndpointSlice): boolean =>
        slice.addressType === group.addressType && portsKey(slice.ports) === portsKey(group.ports);
      const index = left.findIndex(fits);
      const [old] = index < 0 ? [] : left.splice(index, 1);
      if (old === undefined) create.push(wanted);
      else if (!saysTheSame(old, wanted)) update.push(rewritten(old, wanted));
    }
  }
  return { create, update, remove: left, invalid, surplus };
}

function groupsOf(subsets: readonly EndpointSubset[]): {
  groups: Map<string, Group>;
  invalid: number;
  surplus: number;
} {
  const groups = new Map<string, Group>();
  let invalid = 0;
  let surplus = 0;
  for (const { addresses, notReadyAddresses, ports = [] } of subsets) {
    let taken = 0;
    const take = (address: EndpointAddress, ready: boolean): void => {
      const family = parseAddress(address.ip)?.family;
      if (family === undefined) {
        invalid += 1;
        return;
      }
      if (taken === MOST_ADDRESSES) {
        surplus += 1;
        return;
      }
      taken += 1;
      const addressType = family === 4 ? 'IPv4' : 'IPv6';
      const key = `${addressType} ${portsKey(ports)}`;
      const group = groups.get(key) ?? { addressType, ports: [...(ports ?? [])], endpoints: new Map() };
      groups.set(key, group);
      group.endpoints.set(address.ip, endpointOf(address, ready));
    };
    for (const address of addresses ?? []) take(address, true);
    for (const address of notReadyAddresses ?? []) take(address, false);
  }
  return { groups, invalid, surplus };
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    ...(targetRef ? { targetRef } : {}),
  };
}

function newSlice(source: Endpoints, group: Group, endpoints: Endpoint[]): Input<EndpointSlice> {
  const { name, namespace } = source.metadata;
  // What says when or how the other object came to be is not true of the slice.
  const { [TRIGGER_TIME]: _, [LAST_APPLIED]: __, ...annotations } = source.metadata.annotations ?? {};
  return {
    metadata: {
      generateName: isDns1123Subdomain(`${name}-a`).length === 0 ? `${name}-` : name,
      namespace,
      labels: { ...source.metadata.labels, [SERVICE_NAME]: name, [MANAGED_BY]: MIRROR_NAME },
      annotations,
      ownerReferences: [
        controllerReference(source, { apiVersion: apiVersionOf(endpointsType), kind: endpointsType.kind }),
      ],
    },
    addressType: group.addressType,
    endpoints,
    ports: group.ports,
  };
}

function saysTheSame(old: EndpointSlice, wanted: Input<EndpointSlice>): boolean {
  return (
    semanticEqual(old.endpoints, wanted.endpoints) &&
    semanticEqual(old.metadata.labels, wanted.metadata?.labels) &&
    semanticEqual(old.metadata.annotations ?? {}, wanted.metadata?.annotations ?? {}) &&
    semanticEqual(old.metadata.ownerReferences, wanted.metadata?.ownerReferences)
  );
}

function rewritten(old: EndpointSlice, { metadata, endpoints, ports }: Input<EndpointSlice>): Input<EndpointSlice> {
  const { labels, annotations, ownerReferences } = metadata ?? {};
  return { ...old, metadata: { ...old.metadata, labels, annotations, ownerReferences }, endpoints, ports };
}

function portsKey(ports: readonly object[] | null | undefined): string {
  return (ports ?? []).map(stableStringify).sort().join();
}

import type { Namespace, Node, Service } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpointSlices, namespaces, nodes, services } from '../../api/resources.ts';
import { keyOf, objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { SERVICE_NAME_LABEL } from '../proxy/plan-services.ts';

/** What cluster names are looked up in. */
export interface ClusterObjects {
  service(name: string, namespace: string): Service | undefined;
  hasNamespace(name: string): boolean;
  /** The slices of a Service. */
  slices(service: string, namespace: string): Iterable<EndpointSlice>;
  servicesWithIP(ip: string): Iterable<Service>;
  slicesWithIP(ip: string): Iterable<EndpointSlice>;
  node(name: string): Node | undefined;
}

/** An endpoint that has its own name may be asked for: it is ready, or its Service publishes it all the same. */
export function isPublished({ conditions }: Endpoint): boolean {
  return conditions?.ready !== false;
}

export function clusterIPsOf({ spec }: Service): string[] {
  const all = (spec.clusterIPs ?? []).length > 0 ? (spec.clusterIPs ?? []) : [spec.clusterIP ?? ''];
  return all.filter((ip) => ip !== '' && ip !== 'None');
}

/**
 * The informers' own objects with three small indexes kept up to date by their events: a Service's slices, and what
 * has an address. Nothing is copied.
 */
export class ClusterRecords implements ClusterObjects {
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #namespaces: Informer<Namespace>;
  readonly #nodes: Informer<Node>;
  readonly #slicesOf = new MultiMap();
  readonly #slicesByIP = new MultiMap();
  readonly #servicesByIP = new MultiMap();
  #synced = false;

  constructor(client: Client) {
    this.#services = client.informer(services);
    this.#slices = client.informer(endpointSlices);
    this.#namespaces = client.informer(namespaces);
    this.#nodes = client.informer(nodes);
  }

  /** Whether everything is known: before that, a name that is not found may exist all the same. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Follows the informers until the returned function is called. `onSynced` is called when all is known. */
  follow(onSynced: () => void, onError: (error: unknown) => void): () => void {
    const stops = [
      this.#services.subscribe((event) => {
        if ('old' in event) this.#indexService(event.old, 'remove');
        this.#indexService(event.object, event.type === 'deleted' ? 'remove' : 'add');
      }),
      this.#slices.subscribe((event) => {
        if ('old' in event) this.#indexSlice(event.old, 'remove');
        this.#indexSlice(event.object, event.type === 'deleted' ? 'remove' : 'add');
      }),
    ];
    const all = [this.#services, this.#slices, this.#namespaces, this.#nodes].map((informer) => informer.synced());
    Promise.all(all).then(() => {
      this.#synced = true;
      onSynced();
    }, onError);
    return () => {
      for (const stop of stops) stop();
    };
  }

  service(name: string, namespace: string): Service | undefined {
    return this.#services.get(name, namespace);
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.get(name) !== undefined;
  }

  node(name: string): Node | undefined {
    return this.#nodes.get(name);
  }

  *slices(service: string, namespace: string): Iterable<EndpointSlice> {
    yield* this.#slicesNamed(this.#slicesOf.get(keyOf(namespace, service)));
  }

  *slicesWithIP(ip: string): Iterable<EndpointSlice> {
    yield* this.#slicesNamed(this.#slicesByIP.get(ip));
  }

  *servicesWithIP(ip: string): Iterable<Service> {
    for (const key of this.#servicesByIP.get(ip)) {
      const { namespace, name } = splitKey(key);
      const service = this.#services.get(name, namespace);
      if (service !== undefined) yield service;
    }
  }

  *#slicesNamed(keys: Iterable<string>): Iterable<EndpointSlice> {
    for (const key of keys) {
      const { namespace, name } = splitKey(key);
      const slice = this.#slices.get(name, namespace);
      if (slice !== undefined) yield slice;
    }
  }

  #indexService(service: Service, change: 'add' | 'remove'): void {
    for (const ip of clusterIPsOf(service)) this.#servicesByIP[change](ip, objectKey(service));
  }

  #indexSlice(slice: EndpointSlice, change: 'add' | 'remove'): void {
    const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (name === undefined) return;
    const key = objectKey(slice);
    this.#slicesOf[change](keyOf(slice.metadata.namespace, name), key);
    for (const { addresses } of slice.endpoints ?? []) for (const ip of addresses) this.#slicesByIP[change](ip, key);
  }
}

/** Keys with several values; one value, by far the most common, costs no set. */
class MultiMap {
  readonly #map = new Map<string, string | Set<string>>();

  get(key: string): Iterable<string> {
    const found = this.#map.get(key);
    return found === undefined ? [] : typeof found === 'string' ? [found] : found;
  }

  add(key: string, value: string): void {
    const found = this.#map.get(key);
    if (found === undefined) this.#map.set(key, value);
    else if (typeof found !== 'string') found.add(value);
    else if (found !== value) this.#map.set(key, new Set([found, value]));
  }

  remove(key: string, value: string): void {
    const found = this.#map.get(key);
    if (found === value) this.#map.delete(key);
    else if (found instanceof Set && found.delete(value) && found.size === 0) this.#map.delete(key);
  }
}

import type { KubeObject, ResourceType } from '../../api/types.ts';
import type { Datastore, DatastoreEvent } from '../../datastore/datastore.ts';
import { type CacheEvent, ResourceCache } from './resource-cache.ts';
import { StoredObject } from './stored-object.ts';

const ROOT = '/registry/';
const LOAD_PAGE = 1000;

/** `/registry/apps/deployments/` */
export function resourcePrefix(type: { readonly group: string; readonly resource: string }): string {
  return `${ROOT}${type.group === '' ? 'core' : type.group}/${type.resource}/`;
}

/** `/registry/apps/deployments/default/web`, or without the namespace for cluster-scoped resources. */
export function objectKey(type: ResourceType, name: string, namespace: string | undefined): string {
  const prefix = resourcePrefix(type);
  return type.namespaced ? `${prefix}${namespace ?? ''}/${name}` : `${prefix}${name}`;
}

/**
 * The watch caches of all resources over one datastore. A write's event is in its cache before the write's promise
 * resolves, so whoever wrote reads its own write.
 */
export class Store {
  readonly datastore: Datastore;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #anyListeners = new Set<(event: CacheEvent) => void>();
  #unsubscribe: () => void = () => {};
  #loadedAt = 0;

  private constructor(datastore: Datastore) {
    this.datastore = datastore;
  }

  /** Reads everything there is into memory, true at one revision; what is written meanwhile follows. */
  static async open(datastore: Datastore): Promise<Store> {
    const store = new Store(datastore);
    const meanwhile: DatastoreEvent[] = [];
    let take = (events: readonly DatastoreEvent[]): void => void meanwhile.push(...events);
    store.#unsubscribe = datastore.subscribe((events) => take(events));
    let after: string | undefined;
    let revision: number | undefined;
    for (;;) {
      const at = revision === undefined ? {} : { revision };
      const page = await datastore.list(ROOT, { limit: LOAD_PAGE, ...at, ...(after === undefined ? {} : { after }) });
      revision = page.revision;
      store.#loadedAt = revision;
      for (const kv of page.kvs) store.#cacheOfKey(kv.key).load(new StoredObject(kv));
      after = page.kvs.at(-1)?.key;
      if (!page.more || after === undefined) break;
    }
    take = (events) => store.#apply(events);
    take(meanwhile);
    return store;
  }

  /** The newest revision everything in memory is true at. */
  get revision(): number {
    return Math.max(this.datastore.revision, this.#loadedAt);
  }

  cache<T extends KubeObject>(type: ResourceType<T>): ResourceCache<T> {
    return this.#cacheOfPrefix(resourcePrefix(type)) as unknown as ResourceCache<T>;
  }

  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): StoredObject<T> | undefined {
    return this.cache(type).get(objectKey(type, name, namespace));
  }

  list<T extends KubeObject>(type: ResourceType<T>, namespace?: string): StoredObject<T>[] {
    const prefix = resourcePrefix(type);
    return this.cache(type).list(namespace ? `${prefix}${namespace}/` : prefix);
  }

  /** All caches there are, for components that follow every resource (garbage collection). */
  caches(): Iterable<ResourceCache> {
    return this.#caches.values();
  }

  /** Calls `listener` with every event of every resource. */
  subscribeAll(listener: (event: CacheEvent) => void): () => void {
    this.#anyListeners.add(listener);
    return () => this.#anyListeners.delete(listener);
  }

  close(): void {
    this.#unsubscribe();
  }

  #apply(events: readonly DatastoreEvent[]): void {
    for (const event of events) {
      const { key, modRevision } = event.kv;
      if (key.startsWith(ROOT) && modRevision > this.#loadedAt) this.#cacheOfKey(key).apply(event);
    }
  }

  #cacheOfKey(key: string): ResourceCache {
    const group = key.indexOf('/', ROOT.length);
    const resource = key.indexOf('/', group + 1);
    return this.#cacheOfPrefix(key.slice(0, resource + 1));
  }

  #cacheOfPrefix(prefix: string): ResourceCache {
    let cache = this.#caches.get(prefix);
    if (cache === undefined) {
      cache = new ResourceCache(prefix, this.#loadedAt);
      this.#caches.set(prefix, cache);
      cache.subscribe((event) => {
        for (const listener of this.#anyListeners) listener(event);
      });
    }
    return cache;
  }
}

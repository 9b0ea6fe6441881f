import type { ResourceType } from '../api/types.ts';
import { apiVersionOf } from '../api/types.ts';
import { storageType } from '../apiserver/operations/resource-operations.ts';
import type { ResourceRegistry } from '../apiserver/resource-registry.ts';
import type { CacheEvent } from '../apiserver/storage/resource-cache.ts';
import { resourcePrefix, type Store } from '../apiserver/storage/store.ts';
import type { StoredObject } from '../apiserver/storage/stored-object.ts';
import type { MetadataEvent, MetadataSource } from '../controllers/garbage-collector/metadata-source.ts';
import type { Descriptor } from '../registry/descriptor.ts';

/** Objects without these neither follow another nor hold one up: they are not even parsed. */
const MARKS = ['"ownerReferences":', '"deletionTimestamp":'].map((mark) => Buffer.from(mark));
const isMarked = ({ bytes }: StoredObject): boolean => MARKS.some((mark) => bytes.includes(mark));

/** The metadata of the objects that the source has to tell of, read from the watch caches themselves. */
export function objectMetadata(store: Store, registry: ResourceRegistry): MetadataSource {
  let known = new Map<string, ResourceType>();
  let generation = -1;
  const typeOf = (prefix: string): ResourceType | undefined => {
    if (generation !== registry.generation) {
      generation = registry.generation;
      known = new Map(
        [...registry.all()].filter(isTracked).map((each) => [resourcePrefix(storageType(each)), storageType(each)]),
      );
    }
    return known.get(prefix);
  };
  const prefixOf = (key: string): string => key.split('/', 4).join('/').concat('/');
  return {
    synced: () => Promise.resolve(),
    subscribe(handler) {
      for (const cache of store.caches()) {
        const type = typeOf(cache.prefix);
        if (type === undefined) continue;
        for (const stored of cache.list()) {
          if (isMarked(stored)) handler({ type: 'added', resource: type, object: stored.object });
        }
      }
      return store.subscribeAll((event) => {
        const { stored, previous } = event;
        const told = event.type === 'DELETED' || isMarked(stored) || (previous !== undefined && isMarked(previous));
        if (!told) return;
        const type = typeOf(prefixOf(stored.key));
        if (type !== undefined) handler(translate(event, type));
      });
    },
    resourceFor(apiVersion, kind) {
      for (const descriptor of registry.all()) {
        const { type } = descriptor;
        if (type.kind === kind && apiVersionOf(type) === apiVersion && descriptor.virtual === undefined) return type;
      }
      return undefined;
    },
  };
}

const isTracked = ({ ttlSeconds, virtual }: Descriptor): boolean => ttlSeconds === undefined && virtual === undefined;

const NAMES = { ADDED: 'added', MODIFIED: 'modified', DELETED: 'deleted' } as const;

function translate({ type, stored }: CacheEvent, resource: ResourceType): MetadataEvent {
  return { type: NAMES[type], resource, object: stored.object };
}

/** Every resource whose objects live in namespaces and can be listed and deleted; each storage once. */
export function namespacedResources(registry: ResourceRegistry): ResourceType[] {
  const deletable = (descriptor: Descriptor): boolean =>
    descriptor.type.namespaced &&
    storageType(descriptor).version === descriptor.type.version &&
    descriptor.verbs.includes('deletecollection');
  return [...registry.all()].filter(deletable).map(({ type }) => type);
}

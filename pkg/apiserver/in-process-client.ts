import type { JsonObject } from '../api/schema.ts';
import type { Input, KubeObject, ResourceType } from '../api/types.ts';
import { cloneJson } from '../apimachinery/json.ts';
import { applyJsonPatch } from '../apimachinery/patch/json-patch.ts';
import { applyMergePatch } from '../apimachinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../apimachinery/patch/strategic-merge.ts';
import { isStatusReason, statusErrors } from '../apimachinery/status-error.ts';
import type {
  Client,
  DeleteOptions,
  InformerSelector,
  ListOptions,
  ListResult,
  Patch,
  PatchOptions,
  WriteOptions,
} from '../client/client.ts';
import type { Informer, InformerEvent } from '../client/informer.ts';
import type { Descriptor } from '../registry/descriptor.ts';
import type { UserInfo } from '../registry/user-info.ts';
import type { ApiCore } from './api-core.ts';
import { auditedWrite, type InProcessWrite } from './audit/in-process.ts';
import { requireAuthorized } from './authz/authorizer.ts';
import { computedObject, computedObjects } from './operations/computed-objects.ts';
import type { WriteRequest } from './operations/options.ts';
import { storageType, type Target } from './operations/resource-operations.ts';
import type { ResourceRegistry } from './resource-registry.ts';
import type { CacheEvent, ResourceCache } from './storage/resource-cache.ts';
import { Selection } from './storage/selection.ts';
import { objectKey, resourcePrefix, type Store } from './storage/store.ts';

/**
 * The Client of components in the server's own process: no HTTP and no encoding, but the same authorization, defaults,
 * admission and validation as any other client. Objects it returns are the watch cache's own.
 */
export class InProcessClient implements Client {
  readonly #core: ApiCore;
  readonly #user: UserInfo;
  readonly #own: Pick<Client, 'informer'>;
  readonly #shared: Pick<Client, 'informer'> | undefined;

  /** `informers`: another client whose informers this one shares, and whose right to watch counts for them. */
  constructor(core: ApiCore, user: UserInfo, informers?: Pick<Client, 'informer'>) {
    this.#core = core;
    this.#user = user;
    this.#shared = informers;
    this.#own = informerSource(core.operations.store, core.registry);
  }

  async get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T> {
    const target = this.#target(type, namespace);
    this.#authorize('get', target, name);
    if (target.descriptor.computed !== undefined) {
      return (await computedObject(target.descriptor, name, target.namespace)).object as T;
    }
    return this.#core.operations.get(target, name).object as T;
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    const target = this.#target(type, options.namespace);
    this.#authorize('list', target, '');
    const selection = Selection.parse(target.descriptor, options.labelSelector, options.fieldSelector);
    if (target.descriptor.computed !== undefined) {
      const found = await computedObjects(target.descriptor, options.namespace, selection);
      return { items: found.map(({ object }) => object as T), resourceVersion: '' };
    }
    const stored = this.#core.operations.store.list(storageType(target.descriptor), options.namespace);
    const items = stored.filter((item) => selection.matches(item)).map((item) => item.object as T);
    return { items, resourceVersion: String(this.#core.operations.store.revision) };
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: Input<T>, options: WriteOptions = {}): Promise<T> {
    const input = object as Input<KubeObject>;
    const target = this.#target(type, input.metadata?.namespace);
    return this.#write('create', target, '', object, async () => {
      const draft = this.#core.typed(target.descriptor, cloneJson(object) as JsonObject);
      return (await this.#core.operations.create(target, draft, this.#request(options))).object as T;
    });
  }

  async update<T extends KubeObject>(type: ResourceType<T>, object: Input<T>, options: WriteOptions = {}): Promise<T> {
    const input = object as Input<KubeObject>;
    const target = this.#target(type, input.metadata?.namespace, options.subresource);
    const name = input.metadata?.name ?? '';
    return this.#write('update', target, name, object, async () => {
      const next = (): KubeObject => this.#core.typed(target.descriptor, cloneJson(object) as JsonObject);
      return (await this.#core.operations.replace(target, name, next, this.#request(options))).object as T;
    });
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    patch: Patch,
    options: PatchOptions = {},
  ): Promise<T> {
    const target = this.#target(type, options.namespace, options.subresource);
    const request = this.#request(options);
    return this.#write('patch', target, name, patch.type === 'json' ? patch.operations : patch.body, async () => {
      if (patch.type === 'apply') return (await this.#apply(target, name, patch.body, options, request)) as T;
      const change = (_live: KubeObject, draft: KubeObject): KubeObject =>
        this.#core.typed(target.descriptor, patched(target.descriptor, draft as unknown as JsonObject, patch));
      return (await this.#core.operations.update(target, name, change, request)).object as T;
    });
  }

  async #apply(
    target: Target,
    name: string,
    body: object,
    options: PatchOptions,
    request: WriteRequest,
  ): Promise<KubeObject> {
    const merge = (live: KubeObject | undefined): KubeObject => {
      const { managedFields } = this.#core;
      const merged = managedFields.apply(target, live, body as JsonObject, request, options.force ?? false);
      return this.#core.typed(target.descriptor, merged);
    };
    try {
      return (await this.#core.operations.replace(target, name, merge, request, { applied: true })).object;
    } catch (error) {
      if (!isStatusReason(error, 'NotFound') || target.subresource !== undefined) throw error;
      this.#authorize('create', target, name);
      const fresh = merge(undefined);
      fresh.metadata.name = name;
      return (await this.#core.operations.create(target, fresh, request, { applied: true })).object;
    }
  }

  async delete<T extends KubeObject>(type: ResourceType<T>, name: string, options: DeleteOptions = {}): Promise<void> {
    const target = this.#target(type, options.namespace);
    await this.#write('delete', target, name, options, async () => {
      await this.#core.operations.delete(target, name, { ...options, user: this.#user, dryRun: false });
    });
  }

  async deleteCollection<T extends KubeObject>(
    type: ResourceType<T>,
    options: DeleteOptions & ListOptions = {},
  ): Promise<void> {
    const target = this.#target(type, options.namespace);
    await this.#write('deletecollection', target, '', options, async () => {
      const { items } = await this.list(type, options);
      for (const { metadata } of items) {
        try {
          const one = { ...target, namespace: metadata.namespace };
          await this.#core.operations.delete(one, metadata.name, { ...options, user: this.#user, dryRun: false });
        } catch (error) {
          // Somebody else deleted it first: that is what was asked for.
          if (!isStatusReason(error, 'NotFound')) throw error;
        }
      }
    });
  }

  async createSubresource<R>(
    type: ResourceType,
    name: string,
    subresource: string,
    body: object,
    options: { readonly namespace?: string } = {},
  ): Promise<R> {
    const target = this.#target(type, options.namespace, subresource);
    return this.#write('create', target, name, body, async () => {
      const action = target.descriptor.subresources[subresource];
      if (action?.type !== 'action') throw statusErrors.pathNotFound();
      this.#core.operations.admitAction(target, name, body as JsonObject, this.#user);
      const call = this.#core.actionCall(name, options.namespace ?? '', body as JsonObject, this.#user, false);
      return (await action.run(call)) as R;
    });
  }

  informer<T extends KubeObject>(type: ResourceType<T>, selector: InformerSelector = {}): Informer<T> {
    if (this.#shared !== undefined) return this.#shared.informer(type, selector);
    this.#authorize('watch', this.#target(type, selector.namespace), '');
    return this.#own.informer(type, selector);
  }

  #target(type: ResourceType, namespace: string | undefined, subresource?: string): Target {
    const descriptor = this.#core.registry.find(type.group, type.version, type.resource);
    if (descriptor === undefined) throw statusErrors.pathNotFound();
    return { descriptor, namespace: type.namespaced ? namespace : undefined, subresource };
  }

  #write<T>(
    verb: InProcessWrite['verb'],
    target: Target,
    name: string,
    body: object,
    work: () => Promise<T>,
  ): Promise<T> {
    return auditedWrite(this.#core, { user: this.#user, verb, target, name, body }, work);
  }

  #authorize(verb: string, target: Target, name: string): void {
    const { group, version, resource } = target.descriptor.type;
    requireAuthorized(this.#core.authorizer, {
      user: this.#user,
      verb,
      apiGroup: group,
      apiVersion: version,
      resource,
      subresource: target.subresource ?? '',
      namespace: target.namespace ?? '',
      name,
    });
  }

  #request(options: WriteOptions): WriteRequest {
    return { user: this.#user, dryRun: false, fieldManager: options.fieldManager ?? 'kedge', warn: () => {} };
  }
}

function patched(descriptor: Descriptor, draft: JsonObject, patch: Exclude<Patch, { type: 'apply' }>): JsonObject {
  switch (patch.type) {
    case 'json':
      return applyJsonPatch(draft, patch.operations as JsonObject[]);
    case 'merge':
      return applyMergePatch(draft, patch.body as JsonObject);
    case 'strategic':
      return descriptor.custom
        ? applyMergePatch(draft, patch.body as JsonObject)
        : applyStrategicMergePatch(draft, patch.body as JsonObject, descriptor.schema);
  }
}

/** Informers over the watch cache, without authorization: for what authorization itself is made of. */
export function informerSource(store: Store, registry: ResourceRegistry): Pick<Client, 'informer'> {
  return {
    informer<T extends KubeObject>(type: ResourceType<T>, selector: InformerSelector = {}): Informer<T> {
      const descriptor = registry.find(type.group, type.version, type.resource);
      if (descriptor === undefined) throw statusErrors.pathNotFound();
      const selection = Selection.parse(descriptor, selector.labelSelector, selector.fieldSelector);
      const stored = storageType(descriptor);
      return new CacheInformer<T>(store.cache(stored), stored, selection, selector.namespace);
    },
  };
}

/** An informer that reads the watch cache itself. */
class CacheInformer<T extends KubeObject> implements Informer<T> {
  readonly #cache: ResourceCache;
  readonly #type: ResourceType;
  readonly #selection: Selection;
  readonly #prefix: string;

  constructor(cache: ResourceCache, type: ResourceType, selection: Selection, namespace: string | undefined) {
    this.#cache = cache;
    this.#type = type;
    this.#selection = selection;
    this.#prefix = namespace === undefined ? resourcePrefix(type) : `${resourcePrefix(type)}${namespace}/`;
  }

  synced(): Promise<void> {
    return Promise.resolve();
  }

  get(name: string, namespace?: string): T | undefined {
    const key = objectKey(this.#type, name, namespace);
    const stored = key.startsWith(this.#prefix) ? this.#cache.get(key) : undefined;
    return stored !== undefined && this.#selection.matches(stored) ? (stored.object as T) : undefined;
  }

  list(namespace?: string): readonly T[] {
    const prefix = namespace === undefined ? this.#prefix : `${resourcePrefix(this.#type)}${namespace}/`;
    if (!prefix.startsWith(this.#prefix)) return [];
    return this.#cache
      .list(prefix)
      .filter((stored) => this.#selection.matches(stored))
      .map((stored) => stored.object as T);
  }

  subscribe(handler: (event: InformerEvent<T>) => void): () => void {
    for (const object of this.list()) handler({ type: 'added', object });
    return this.#cache.subscribe((event) => {
      if (!event.stored.key.startsWith(this.#prefix)) return;
      const seen = this.#seen(event);
      if (seen !== undefined) handler(seen);
    });
  }

  #seen({ type, stored, previous }: CacheEvent): InformerEvent<T> | undefined {
    const before = previous !== undefined && this.#selection.matches(previous) ? previous : undefined;
    if (type !== 'DELETED' && this.#selection.matches(stored)) {
      const object = stored.object as T;
      if (before === undefined) return { type: 'added', object };
      return { type: 'modified', object, old: before.object as T };
    }
    return before === undefined ? undefined : { type: 'deleted', object: stored.object as T };
  }
}

/** A Client over a Map, for tests: the API's write semantics as far as controllers depend on them, nothing more. */
import { schemaOf } from '../../api/facts.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import { apiVersionOf, type Input, type KubeObject, type ResourceType } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { keyOf, objectKey } from '../../apimachinery/object-meta.ts';
import { applyMergePatch } from '../../apimachinery/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../apimachinery/patch/strategic-merge.ts';
import { generateName } from '../../apimachinery/random-name.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client, DeleteOptions, ListOptions, ListResult, Patch, PatchOptions, WriteOptions } from '../client.ts';
import type { Informer, InformerEvent } from '../informer.ts';

type Stored = KubeObject & {
  spec?: Record<string, unknown> | undefined;
  status?: Record<string, unknown> | undefined;
};
type Handler = (event: InformerEvent<KubeObject>) => void;

class Collection {
  readonly objects = new Map<string, Stored>();
  readonly handlers = new Set<Handler>();
}

export class MemoryClient implements Client {
  readonly #clock: Clock;
  readonly #collections = new Map<string, Collection>();
  #revision = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T> {
    return this.#existing(type, name, namespace) as KubeObject as T;
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    return { items: this.objects(type, options.namespace), resourceVersion: String(this.#revision) };
  }

  /** What is stored, at once. */
  objects<T extends KubeObject>(type: ResourceType<T>, namespace?: string): T[] {
    const all = [...this.#collection(type).objects.values()] as KubeObject[] as T[];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: Input<T>): Promise<T> {
    const input = structuredClone(object) as Stored;
    const name = input.metadata.name ?? generateName(input.metadata.generateName ?? '');
    const key = keyOf(type.namespaced ? input.metadata.namespace : undefined, name);
    if (this.#collection(type).objects.has(key)) throw statusErrors.alreadyExists(type, name);
    const stored: Stored = {
      status: {},
      ...input,
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: {
        ...input.metadata,
        uid: input.metadata.uid || crypto.randomUUID(),
        creationTimestamp: input.metadata.creationTimestamp || formatTime(this.#clock.now()),
        generation: 1,
        name,
        resourceVersion: '',
      },
    };
    return this.#put(type, key, stored) as KubeObject as T;
  }

  async update<T extends KubeObject>(type: ResourceType<T>, object: Input<T>, options: WriteOptions = {}): Promise<T> {
    const input = structuredClone(object) as Stored;
    const { name, namespace, resourceVersion } = input.metadata;
    const old = this.#existing(type, name, namespace);
    if (resourceVersion && resourceVersion !== old.metadata.resourceVersion) throw statusErrors.conflict(type, name);
    const next = { ...input, apiVersion: old.apiVersion, kind: old.kind };
    if (options.subresource === 'status') {
      next.spec = old.spec;
      next.metadata = { ...old.metadata, annotations: input.metadata.annotations };
    } else if (options.subresource === 'finalize') {
      next.metadata = old.metadata;
    } else {
      next.status = old.status;
      const changed = !deepEqual(input.spec, old.spec);
      next.metadata.generation = (old.metadata.generation ?? 0) + (changed ? 1 : 0);
    }
    return this.#put(type, keyOf(namespace, name), next) as KubeObject as T;
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    patch: Patch,
    options: PatchOptions = {},
  ): Promise<T> {
    if (patch.type === 'json' || patch.type === 'apply')
      throw new Error(`${patch.type} patches are not supported here`);
    const old = this.#existing(type, name, options.namespace);
    const copy = structuredClone(old) as unknown as JsonObject;
    const group = type.group === '' ? 'core' : type.group.split('.')[0];
    const next = (patch.type === 'strategic'
      ? applyStrategicMergePatch(copy, patch.body as JsonObject, schemaOf(`${group}.${type.version}.${type.kind}`))
      : applyMergePatch(copy, patch.body as Json)) as unknown as Stored;
    if (next.metadata.uid !== old.metadata.uid) throw statusErrors.conflict(type, name);
    return this.update(type, next as KubeObject as Input<T>, options);
  }

  async delete<T extends KubeObject>(type: ResourceType<T>, name: string, options: DeleteOptions = {}): Promise<void> {
    const old = this.#existing(type, name, options.namespace);
    const { uid, resourceVersion } = options.preconditions ?? {};
    const { metadata } = old;
    if (uid !== undefined && uid !== metadata.uid) throw statusErrors.conflict(type, name);
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
      throw statusErrors.conflict(type, name);
    }
    const finalizers = new Set(metadata.finalizers);
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan');
    const graceful = type.kind === 'Pod' && old.spec?.['nodeName'] !== undefined && options.gracePeriodSeconds !== 0;
    const namespaced = type.kind === 'Namespace' && (old.spec?.['finalizers'] as unknown[] | undefined)?.length;
    if (finalizers.size === 0 && !graceful && !namespaced) {
      this.#remove(type, objectKey(old));
      return;
    }
    const deletionTimestamp = metadata.deletionTimestamp ?? formatTime(this.#clock.now());
    this.#put(type, objectKey(old), {
      ...old,
      metadata: { ...metadata, deletionTimestamp, finalizers: [...finalizers] },
    });
  }

  async deleteCollection<T extends KubeObject>(
    type: ResourceType<T>,
    options: DeleteOptions & ListOptions = {},
  ): Promise<void> {
    for (const { metadata } of this.objects(type, options.namespace)) {
      const namespace = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
      await this.delete(type, metadata.name, namespace);
    }
  }

  async createSubresource<R>(
    type: ResourceType,
    name: string,
    subresource: string,
    body: object,
    options: { readonly namespace?: string } = {},
  ): Promise<R> {
    if (subresource !== 'binding') throw statusErrors.pathNotFound();
    const old = this.#existing(type, name, options.namespace);
    const nodeName = (body as { target: { name: string } }).target.name;
    this.#put(type, objectKey(old), { ...old, spec: { ...old.spec, nodeName } });
    return {} as R;
  }

  informer<T extends KubeObject>(type: ResourceType<T>): Informer<T> {
    const { objects, handlers } = this.#collection(type);
    return {
      synced: () => Promise.resolve(),
      get: (name, namespace) => objects.get(keyOf(namespace, name)) as KubeObject as T | undefined,
      list: (namespace) => this.objects(type, namespace),
      subscribe(handler) {
        const general = handler as unknown as Handler;
        for (const object of objects.values()) general({ type: 'added', object });
        handlers.add(general);
        return () => handlers.delete(general);
      },
    };
  }

  #collection(type: ResourceType): Collection {
    const key = `${type.group}/${type.resource}`;
    let collection = this.#collections.get(key);
    if (collection === undefined) {
      collection = new Collection();
      this.#collections.set(key, collection);
    }
    return collection;
  }

  #existing(type: ResourceType, name: string, namespace: string | undefined): Stored {
    const found = this.#collection(type).objects.get(keyOf(type.namespaced ? namespace : undefined, name));
    if (found === undefined) throw statusErrors.notFound(type, name);
    return found;
  }

  #put(type: ResourceType, key: string, object: Stored): Stored {
    const { objects, handlers } = this.#collection(type);
    const old = objects.get(key);
    const { deletionTimestamp, finalizers } = object.metadata;
    const finalized = (finalizers ?? []).length === 0 && (old?.metadata.finalizers ?? []).length > 0;
    const emptied = type.kind === 'Namespace' && (object.spec?.['finalizers'] as unknown[] | undefined)?.length === 0;
    if (deletionTimestamp !== undefined && (finalized || emptied)) {
      this.#remove(type, key);
      return object;
    }
    const stored = structuredClone(object);
    stored.metadata.resourceVersion = String(++this.#revision);
    objects.set(key, stored);
    for (const handler of handlers) {
      handler(old === undefined ? { type: 'added', object: stored } : { type: 'modified', object: stored, old });
    }
    return stored;
  }

  #remove(type: ResourceType, key: string): void {
    const { objects, handlers } = this.#collection(type);
    const object = objects.get(key);
    if (object === undefined) return;
    objects.delete(key);
    for (const handler of handlers) handler({ type: 'deleted', object });
  }
}

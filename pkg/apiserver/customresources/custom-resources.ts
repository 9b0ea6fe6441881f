/** Makes the resources that CustomResourceDefinitions define appear and disappear. */
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import { customResourceDefinitions } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { hasFinalizer, isBeingDeleted, setCondition } from '../../apimachinery/object-meta.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { customDescriptors } from '../../registry/apiextensions/custom-resource.ts';
import {
  CLEANUP_FINALIZER,
  customResourceDefinition,
} from '../../registry/apiextensions/custom-resource-definition.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { LOOPBACK_USER } from '../authn/user.ts';
import { type ResourceOperations, storageType, type Target } from '../operations/resource-operations.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { isEstablished, plannedStatus } from './naming.ts';

const REQUEST = { user: LOOPBACK_USER, dryRun: false, fieldManager: 'kube-apiserver', warn: (): void => {} };
const WHOLE: Target = { descriptor: customResourceDefinition as Descriptor, namespace: undefined };
const STATUS: Target = { ...WHOLE, subresource: 'status' };
/** How often it is looked whether objects that finalizers hold are gone. */
const CLEANUP_MS = 1000;

interface Served {
  /** What the descriptors were made of. */
  readonly from: unknown;
  readonly descriptors: readonly Descriptor[];
}

export interface CustomResourcesOptions {
  readonly registry: ResourceRegistry;
  readonly operations: ResourceOperations;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Mirrors upstream's apiextensions controllers: names are accepted one definition at a time, established definitions
 * are served from then on, and one that is deleted goes when its objects are gone. Every server of a cluster does the
 * same; what one has written the others find done.
 */
export class CustomResources {
  readonly #options: CustomResourcesOptions;
  readonly #served = new Map<string, Served>();
  readonly #queue: WorkQueue;
  /** The revision at which each definition was first served, if that was not before this server started. */
  readonly #begins = new Map<string, number>();
  readonly #stopped = new AbortController();
  #unsubscribe: () => void = () => {};
  #working: Promise<void> = Promise.resolve();

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
    this.#queue = new WorkQueue(options.clock);
  }

  /** Serves what is established already, before it resolves. */
  start(): void {
    const cache = this.#options.operations.store.cache(customResourceDefinitions);
    for (const { object } of cache.list()) this.#changed(object);
    this.#unsubscribe = cache.subscribe(({ type, stored }) => {
      if (type === 'DELETED') this.#gone(stored.object);
      else this.#live(stored);
    });
    const onError = (key: string, error: unknown): void => {
      const isOvertaken = isStatusReason(error, 'Conflict') || isStatusReason(error, 'NotFound');
      if (this.#stopped.signal.aborted || isOvertaken) return;
      this.#options.log.warn('custom resource definition: trying again', { name: key, error: errorText(error) });
    };
    // One at a time: two definitions must not be given the same name.
    this.#working = this.#queue.run(1, (key) => this.#reconcile(key), onError, this.#stopped.signal);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#unsubscribe();
    await this.#working;
  }

  #definitions(): CustomResourceDefinition[] {
    const { store } = this.#options.operations;
    return store.list(customResourceDefinitions).map(({ object }) => object);
  }

  #changed(definition: CustomResourceDefinition): void {
    if (isEstablished(definition)) this.#serve(definition);
    this.#queue.add(definition.metadata.name);
  }

  #live({ object, revision }: StoredObject<CustomResourceDefinition>): void {
    const { name } = object.metadata;
    if (isEstablished(object) && !this.#served.has(name)) this.#begins.set(name, revision);
    this.#changed(object);
  }

  #gone({ metadata: { name }, spec }: CustomResourceDefinition): void {
    this.#withdraw(name, []);
    this.#served.delete(name);
    this.#begins.delete(name);
    // Somebody may have been waiting for its names.
    for (const other of this.#definitions()) {
      if (other.spec.group === spec.group) this.#queue.add(other.metadata.name);
    }
  }

  #serve(definition: CustomResourceDefinition): void {
    const { metadata, spec, status } = definition;
    const { name } = metadata;
    const { acceptedNames, storedVersions } = status;
    const from = [spec, acceptedNames, storedVersions, metadata.generation, isBeingDeleted(definition)];
    if (deepEqual(this.#served.get(name)?.from, from)) return;
    const { registry, log } = this.#options;
    let descriptors: Descriptor[];
    try {
      descriptors = customDescriptors(definition, this.#begins.get(name));
    } catch (error) {
      log.warn('custom resource definition cannot be served', { name, error: errorText(error) });
      return;
    }
    const free = descriptors.filter(({ type }) => {
      const present = registry.find(type.group, type.version, type.resource);
      return present === undefined || present.custom;
    });
    this.#withdraw(name, free);
    this.#served.set(name, { from, descriptors: free });
    for (const descriptor of free) registry.set(descriptor);
  }

  /** Takes away the versions that are not in `next`. */
  #withdraw(name: string, next: readonly Descriptor[]): void {
    for (const { type } of this.#served.get(name)?.descriptors ?? []) {
      if (!next.some((other) => other.type.version === type.version)) this.#options.registry.remove(type);
    }
  }

  async #reconcile(name: string): Promise<void> {
    const { operations, clock } = this.#options;
    const definition = operations.store.get(customResourceDefinitions, name)?.object;
    if (definition === undefined) return;
    if (isBeingDeleted(definition)) {
      if (hasFinalizer(definition, CLEANUP_FINALIZER)) await this.#cleanUp(definition);
      return;
    }
    const now = formatTime(clock.now());
    if (plannedStatus(definition, this.#definitions(), now) === undefined) return;
    await operations.update(
      STATUS,
      name,
      (_live, draft) => {
        const current = draft as CustomResourceDefinition;
        const status = plannedStatus(current, this.#definitions(), now) ?? current.status;
        return { ...current, status } as KubeObject;
      },
      REQUEST,
    );
  }

  /** Deletes the objects; when there are none left, lets the definition go. */
  async #cleanUp(definition: CustomResourceDefinition): Promise<void> {
    const { operations } = this.#options;
    const { name } = definition.metadata;
    const [descriptor] = customDescriptors(servingStorage(definition));
    if (descriptor !== undefined) {
      await this.#terminating(name, 'True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress');
      for (const { object } of operations.store.list(storageType(descriptor))) {
        if (!isBeingDeleted(object)) await this.#remove(descriptor, object);
      }
      if (operations.store.list(storageType(descriptor)).length > 0) {
        this.#queue.addAfter(name, CLEANUP_MS);
        return;
      }
    }
    await this.#terminating(name, 'False', 'InstanceDeletionCompleted', 'removed all instances');
    await operations.update(
      WHOLE,
      name,
      (_live, draft) => {
        const finalizers = (draft.metadata.finalizers ?? []).filter((each) => each !== CLEANUP_FINALIZER);
        return { ...draft, metadata: { ...draft.metadata, finalizers } };
      },
      REQUEST,
    );
  }

  async #remove(descriptor: Descriptor, { metadata }: KubeObject): Promise<void> {
    const target = { descriptor, namespace: metadata.namespace };
    try {
      await this.#options.operations.delete(target, metadata.name, { ...REQUEST, propagationPolicy: 'Background' });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  async #terminating(name: string, status: string, reason: string, message: string): Promise<void> {
    const now = formatTime(this.#options.clock.now());
    await this.#options.operations.update(
      STATUS,
      name,
      (_live, draft) => {
        const current = draft as CustomResourceDefinition;
        const conditions = setCondition(
          current.status.conditions,
          { type: 'Terminating', status, reason, message },
          now,
        );
        return { ...current, status: { ...current.status, conditions: [...conditions] } } as KubeObject;
      },
      REQUEST,
    );
  }
}

/** The definition as if just its storage version were served: what its objects are deleted by. */
function servingStorage(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { spec } = definition;
  return {
    ...definition,
    spec: { ...spec, versions: spec.versions.map((each) => ({ ...each, served: each.storage })) },
  };
}

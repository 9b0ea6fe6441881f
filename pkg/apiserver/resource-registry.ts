import type { ResourceType } from '../api/types.ts';
import type { Descriptor } from '../registry/descriptor.ts';

/** All resources the server has now: the built-in ones and those that CRDs bring and take away. */
export class ResourceRegistry {
  readonly #byPath = new Map<string, Descriptor>();
  readonly #listeners = new Set<() => void>();
  #generation = 0;

  constructor(descriptors: readonly Descriptor[]) {
    for (const descriptor of descriptors) this.#byPath.set(pathKey(descriptor.type), descriptor);
  }

  /** Moves with every change: caches of derived documents (discovery, OpenAPI) compare it. */
  get generation(): number {
    return this.#generation;
  }

  find(group: string, version: string, resource: string): Descriptor | undefined {
    return this.#byPath.get(`${group}/${version}/${resource}`);
  }

  /** Every descriptor, in the order they were added. */
  all(): IterableIterator<Descriptor> {
    return this.#byPath.values();
  }

  /** Enters or replaces a resource. */
  set(descriptor: Descriptor): void {
    this.#byPath.set(pathKey(descriptor.type), descriptor);
    this.#changed();
  }

  remove(type: ResourceType): void {
    if (this.#byPath.delete(pathKey(type))) this.#changed();
  }

  /** Calls `listener` after every change; returns the unsubscriber. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#generation++;
    for (const listener of this.#listeners) listener();
  }
}

function pathKey(type: ResourceType): string {
  return `${type.group}/${type.version}/${type.resource}`;
}

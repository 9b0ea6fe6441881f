import type { KubeObject } from '../../api/types.ts';
import type { InformerEvent } from '../informer.ts';

export type Tell<T> = (event: InformerEvent<T>) => void;

/**
 * The objects of one informer, by namespace and name. Every change is told to `tell` after it was made, so that who is
 * told sees it. Invariant: what was told so far, replayed, gives exactly the objects that are here.
 */
export class ObjectCache<T extends KubeObject> {
  readonly #tell: Tell<T>;
  readonly #namespaces = new Map<string, Map<string, T>>();

  constructor(tell: Tell<T>) {
    this.#tell = tell;
  }

  get(name: string, namespace = ''): T | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  list(namespace?: string): T[] {
    if (namespace !== undefined) return [...(this.#namespaces.get(namespace)?.values() ?? [])];
    const all: T[] = [];
    for (const objects of this.#namespaces.values()) for (const object of objects.values()) all.push(object);
    return all;
  }

  /** The object as it is now; the same version again is no news. */
  set(object: T): void {
    const { name, namespace = '' } = object.metadata;
    const old = this.get(name, namespace);
    if (old !== undefined && isSameVersion(old, object)) return;
    // Deleted and made anew under the same name: two objects, as a watch without a break would have told.
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) this.delete(old);
    const objects = this.#namespaces.get(namespace) ?? new Map<string, T>();
    this.#namespaces.set(namespace, objects);
    const before = objects.get(name);
    objects.set(name, object);
    this.#tell(before === undefined ? { type: 'added', object } : { type: 'modified', object, old: before });
  }

  /** Removes the object, `object` being its last form; one that is not here is no news. */
  delete(object: T): void {
    const { name, namespace = '' } = object.metadata;
    const objects = this.#namespaces.get(namespace);
    if (objects?.delete(name) !== true) return;
    if (objects.size === 0) this.#namespaces.delete(namespace);
    this.#tell({ type: 'deleted', object });
  }

  /** Makes `objects` all there are, telling only what differs: first what is gone, then what is new or has changed. */
  replace(objects: readonly T[]): void {
    const kept = new Set<T>();
    for (const { metadata } of objects) {
      const known = this.get(metadata.name, metadata.namespace);
      if (known !== undefined && known.metadata.uid === metadata.uid) kept.add(known);
    }
    for (const known of this.list()) if (!kept.has(known)) this.delete(known);
    for (const object of objects) this.set(object);
  }

  /** The object known already, when `object` is that same version: one of the two can be dropped. */
  known(object: T): T {
    const { name, namespace } = object.metadata;
    const known = this.get(name, namespace);
    return known !== undefined && isSameVersion(known, object) ? known : object;
  }

  clear(): void {
    this.#namespaces.clear();
  }
}

function isSameVersion(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}

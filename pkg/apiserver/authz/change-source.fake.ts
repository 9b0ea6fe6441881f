import type { KubeObject } from '../../api/types.ts';
import type { InformerEvent } from '../../client/informer.ts';
import type { ChangeSource } from './rbac-index.ts';

/** A source whose objects a test sets and removes. */
export class FakeSource<T extends KubeObject> implements ChangeSource<T> {
  readonly #objects = new Map<string, T>();
  readonly #handlers = new Set<(event: InformerEvent<T>) => void>();

  subscribe(handler: (event: InformerEvent<T>) => void): () => void {
    this.#handlers.add(handler);
    for (const object of this.#objects.values()) handler({ type: 'added', object });
    return () => this.#handlers.delete(handler);
  }

  /** Adds or replaces an object given without what the server would fill in. */
  set(object: object): void {
    const next = object as T;
    const key = `${next.metadata.namespace ?? ''}/${next.metadata.name}`;
    const old = this.#objects.get(key);
    this.#objects.set(key, next);
    for (const handler of this.#handlers) {
      handler(old === undefined ? { type: 'added', object: next } : { type: 'modified', object: next, old });
    }
  }

  remove(name: string, namespace = ''): void {
    const key = `${namespace}/${name}`;
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    for (const handler of this.#handlers) handler({ type: 'deleted', object });
  }

  get all(): T[] {
    return [...this.#objects.values()];
  }
}

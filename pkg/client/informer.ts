import type { KubeObject } from '../api/types.ts';

export type InformerEvent<T> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'modified'; readonly object: T; readonly old: T }
  | { readonly type: 'deleted'; readonly object: T };

/**
 * A local, always current copy of a resource's objects. In the server it reads the watch cache itself (one copy in
 * memory); over HTTP it lists, watches, and after a break lists again, telling subscribers only the differences.
 */
export interface Informer<T extends KubeObject> {
  /** Resolves when the first list is complete. */
  synced(): Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  /** All objects, or those of one namespace. */
  list(namespace?: string): readonly T[];
  /**
   * Calls `handler` for every object there is (as `added`, at once when synced) and for every change from then on, in
   * order. Handlers must be quick and must not throw: put work into a WorkQueue. Returns the unsubscriber.
   */
  subscribe(handler: (event: InformerEvent<T>) => void): () => void;
}

/** An informer that belongs to who opened it. */
export interface OwnedInformer<T extends KubeObject> extends Informer<T> {
  /** Lets go of the objects; nobody is told of anything any more, and a `synced` still waiting rejects. */
  stop(): void;
}

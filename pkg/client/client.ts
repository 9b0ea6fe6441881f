import type { Input, KubeObject, ResourceType } from '../api/types.ts';
import type { Informer } from './informer.ts';

/**
 * Typed access to the API. Two transports implement it: in-process (server components: no HTTP, no encoding, same
 * chain from authorization on) and HTTP (agents, pkg/client/http). Every refusal is a StatusError
 * (pkg/apimachinery/status-error.ts); over HTTP there is UnreachableError beside it, when no server gave an answer.
 * Objects returned, and objects of informers, are shared and must never be changed: build a new object instead.
 */
export interface Client {
  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T>;
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<ListResult<T>>;
  create<T extends KubeObject>(type: ResourceType<T>, object: Input<T>, options?: WriteOptions): Promise<T>;
  /** Replaces the object; with `metadata.resourceVersion` set, only that version (Conflict otherwise). */
  update<T extends KubeObject>(type: ResourceType<T>, object: Input<T>, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(type: ResourceType<T>, name: string, patch: Patch, options?: PatchOptions): Promise<T>;
  delete<T extends KubeObject>(type: ResourceType<T>, name: string, options?: DeleteOptions): Promise<void>;
  deleteCollection<T extends KubeObject>(type: ResourceType<T>, options?: DeleteOptions & ListOptions): Promise<void>;
  /** POSTs to a subresource that takes and answers another kind: `binding`, `eviction`, `token`. */
  createSubresource<R>(
    type: ResourceType,
    name: string,
    subresource: string,
    body: object,
    options?: { readonly namespace?: string },
  ): Promise<R>;
  /** The shared informer of a resource, started at first use; `selector` narrows it (agents: `spec.nodeName=x`). */
  informer<T extends KubeObject>(type: ResourceType<T>, selector?: InformerSelector): Informer<T>;
}

export interface ListOptions {
  /** All namespaces when left out. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ListResult<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export interface InformerSelector {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface WriteOptions {
  readonly subresource?: string;
  readonly fieldManager?: string;
}

export interface PatchOptions extends WriteOptions {
  readonly namespace?: string;
  /** Server-side apply: take over fields that others own. */
  readonly force?: boolean;
}

export type Patch =
  | { readonly type: 'json'; readonly operations: readonly object[] }
  | { readonly type: 'merge'; readonly body: object }
  | { readonly type: 'strategic'; readonly body: object }
  | { readonly type: 'apply'; readonly body: object };

export interface DeleteOptions {
  readonly namespace?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

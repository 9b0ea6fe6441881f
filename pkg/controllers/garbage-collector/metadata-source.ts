import type { KubeObject, ResourceType } from '../../api/types.ts';

export interface MetadataEvent {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly resource: ResourceType;
  /** Only its metadata is looked at. */
  readonly object: KubeObject;
}

/**
 * All objects of the cluster, custom resources included, as far as their metadata goes. An object that is served in
 * several versions comes once. Left out may be Events, and changes (not deletions) of objects that have neither owner
 * references nor a deletion timestamp, before and after.
 */
export interface MetadataSource {
  /** Resolves when every object there was at the beginning has been told of. */
  synced(): Promise<void>;
  /** Calls `handler` for every object there is and for every change from then on, in order per object. */
  subscribe(handler: (event: MetadataEvent) => void): () => void;
  /** The resource whose objects say they are of this kind; undefined when the cluster knows none. */
  resourceFor(apiVersion: string, kind: string): ResourceType | undefined;
}

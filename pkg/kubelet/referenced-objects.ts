import type { ConfigMap, Pod, Secret } from '../api/generated/core-v1.ts';
import { configMaps, secrets } from '../api/resources.ts';
import type { KubeObject } from '../api/types.ts';
import type { Client } from '../client/client.ts';
import type { InformerEvent } from '../client/informer.ts';
import type { ReferencedData } from './env.ts';

export type ReferencedKind = 'ConfigMap' | 'Secret';

/** The ConfigMaps and Secrets that Pods of this node refer to. */
export interface ReferencedObjects {
  /** Resolves when the answers of `of` can be relied on. */
  synced(): Promise<void>;
  /** From now on what `pod` refers to is kept at hand; to be called with each of its forms. */
  follow(pod: Pod): void;
  /** Nothing is kept for the Pod `uid` any more. */
  release(uid: string): void;
  /** Resolves when `of` knows what `pod`, which is followed, refers to. Rejects when that is not to be had in time. */
  loaded(pod: Pod, signal: AbortSignal): Promise<void>;
  /** The objects of one namespace, as they are now. */
  of(namespace: string): ReferencedData;
  /** Calls `handler` when an object comes, changes or goes. */
  subscribe(handler: (kind: ReferencedKind, namespace: string, name: string) => void): () => void;
}

/** ReferencedObjects by informers of all objects: for a node in the server's process, where they cost nothing. */
export function informedReferences(client: Client): ReferencedObjects {
  const maps = client.informer<ConfigMap>(configMaps);
  const secretInformer = client.informer<Secret>(secrets);
  return {
    async synced() {
      await Promise.all([maps.synced(), secretInformer.synced()]);
    },
    follow() {},
    release() {},
    async loaded() {},
    of: (namespace) => ({
      configMap: (name) => maps.get(name, namespace),
      secret: (name) => secretInformer.get(name, namespace),
    }),
    subscribe(handler) {
      const tell =
        (kind: ReferencedKind) =>
        ({ object }: InformerEvent<KubeObject>): void =>
          handler(kind, object.metadata.namespace ?? '', object.metadata.name);
      const unsubscribe = [maps.subscribe(tell('ConfigMap')), secretInformer.subscribe(tell('Secret'))];
      return () => {
        for (const stop of unsubscribe) stop();
      };
    },
  };
}

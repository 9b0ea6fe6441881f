import type { ConfigMap, Secret } from '../api/generated/core-v1.ts';
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

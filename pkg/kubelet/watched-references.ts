import type { ConfigMap, Pod, Secret } from '../api/generated/core-v1.ts';
import { configMaps, secrets } from '../api/resources.ts';
import { type Clock, sleep } from '../base/clock.ts';
import type { HttpClient } from '../client/http/http-client.ts';
import type { Informer, OwnedInformer } from '../client/informer.ts';
import type { ReferencedData } from './env.ts';
import { podReferences, referenceKey } from './pod-references.ts';
import type { ReferencedKind, ReferencedObjects } from './referenced-objects.ts';

/** Longer than it takes to come back from a lost server; the Pod's worker tries again after it. */
const LOAD_TIMEOUT_MS = 10_000;

interface Watched {
  readonly informer: OwnedInformer<ConfigMap | Secret>;
  /** Pods that refer to it; it is watched as long as there is one. */
  readonly pods: Set<string>;
}

export interface WatchedReferencesOptions {
  readonly client: Pick<HttpClient, 'openInformer'>;
  readonly clock: Clock;
}

/**
 * ReferencedObjects of a node on another machine: every ConfigMap and Secret that Pods of this node refer to is watched
 * by its name, which is all that the Node authorizer lets a node see. Upstream's WatchingSecretManager and
 * WatchingConfigMapManager.
 */
export class WatchedReferences implements ReferencedObjects {
  readonly #client: Pick<HttpClient, 'openInformer'>;
  readonly #clock: Clock;
  /** By namespace and referenceKey. */
  readonly #watched = new Map<string, Watched>();
  /** What each Pod refers to; invariant: it is in the `pods` of exactly these. */
  readonly #pods = new Map<string, ReadonlySet<string>>();
  readonly #handlers = new Set<(kind: ReferencedKind, namespace: string, name: string) => void>();

  constructor(options: WatchedReferencesOptions) {
    this.#client = options.client;
    this.#clock = options.clock;
  }

  async synced(): Promise<void> {}

  follow(pod: Pod): void {
    const { uid, namespace = '' } = pod.metadata;
    const before = this.#pods.get(uid) ?? new Set();
    const now = new Set<string>();
    for (const reference of podReferences(pod)) {
      const key = watchKey(namespace, reference);
      now.add(key);
      const watched = this.#watched.get(key) ?? this.#watch(namespace, reference);
      watched.pods.add(uid);
    }
    for (const key of before) if (!now.has(key)) this.#drop(key, uid);
    this.#pods.set(uid, now);
  }

  release(uid: string): void {
    for (const key of this.#pods.get(uid) ?? []) this.#drop(key, uid);
    this.#pods.delete(uid);
  }

  async loaded(pod: Pod, signal: AbortSignal): Promise<void> {
    const keys = [...(this.#pods.get(pod.metadata.uid) ?? [])];
    const done = new AbortController();
    const late = sleep(this.#clock, LOAD_TIMEOUT_MS, AbortSignal.any([signal, done.signal])).then(() => false);
    const all = Promise.all(keys.map((key) => this.#watched.get(key)?.informer.synced())).then(() => true);
    const isLoaded = await Promise.race([all, late]);
    done.abort();
    if (!isLoaded) throw new Error('the ConfigMaps and Secrets of the Pod could not be read in time');
  }

  of(namespace: string): ReferencedData {
    const find = (kind: ReferencedKind, name: string): ConfigMap | Secret | undefined =>
      this.#watched.get(watchKey(namespace, referenceKey(kind, name)))?.informer.get(name, namespace);
    return {
      configMap: (name) => find('ConfigMap', name) as ConfigMap | undefined,
      secret: (name) => find('Secret', name) as Secret | undefined,
    };
  }

  subscribe(handler: (kind: ReferencedKind, namespace: string, name: string) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** How many objects are watched. */
  get size(): number {
    return this.#watched.size;
  }

  #watch(namespace: string, reference: string): Watched {
    const [kind = '', name = ''] = reference.split('/');
    const isSecret = kind === 'Secret';
    const selector = { namespace, fieldSelector: `metadata.name=${name}` };
    const informer: OwnedInformer<ConfigMap | Secret> = isSecret
      ? this.#client.openInformer<Secret>(secrets, selector)
      : this.#client.openInformer<ConfigMap>(configMaps, selector);
    const watched: Watched = { informer, pods: new Set() };
    this.#watched.set(watchKey(namespace, reference), watched);
    (informer as Informer<ConfigMap>).subscribe(() => {
      for (const handler of [...this.#handlers]) handler(isSecret ? 'Secret' : 'ConfigMap', namespace, name);
    });
    return watched;
  }

  #drop(key: string, uid: string): void {
    const watched = this.#watched.get(key);
    if (watched?.pods.delete(uid) !== true || watched.pods.size > 0) return;
    watched.informer.stop();
    this.#watched.delete(key);
  }
}

function watchKey(namespace: string, reference: string): string {
  return `${namespace}/${reference}`;
}

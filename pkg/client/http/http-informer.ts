import type { KubeObject, ResourceType } from '../../api/types.ts';
import { StatusError } from '../../apimachinery/status-error.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { InformerSelector, ListResult } from '../client.ts';
import type { InformerEvent, OwnedInformer } from '../informer.ts';
import { isVersionGone, isVersionTooLarge, UnreachableError } from './answer-error.ts';
import { RetryDelay } from './backoff.ts';
import { deepFreeze } from './deep-freeze.ts';
import { ObjectCache } from './object-cache.ts';
import { type Query, requestPath } from './request-path.ts';
import { readWatch, StalledError, type WatchEvent } from './watch-stream.ts';

export interface InformerTransport {
  stream(path: string, onData: (chunk: Buffer) => void, signal: AbortSignal): Promise<void>;
  list<T extends KubeObject>(type: ResourceType<T>, selector: InformerSelector): Promise<ListResult<T>>;
  /** Calls `listener` whenever a server was reached anew. */
  onConnect(listener: () => void): () => void;
}

export interface HttpInformerOptions<T extends KubeObject> {
  readonly type: ResourceType<T>;
  readonly selector: InformerSelector;
  readonly transport: InformerTransport;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** The longest silence of a watch, in ms; bookmarks come every minute. */
  readonly stallMs: number;
  /** Makes changing an object throw; for tests. */
  readonly freeze: boolean;
  readonly signal: AbortSignal;
}

const LONGEST_RETRY_MS = 30_000;
/** While no server answers: the first that is reached wakes all informers anyway. */
const LONGEST_SEARCH_MS = 10_000;
/** Informers woken together come back within this time, not all at once. */
const SPREAD_MS = 300;
/** client-go's: a watch is asked for anew after 5 to 10 minutes. */
const SHORTEST_WATCH_S = 300;
const LASTING_MS = 10_000;
/** After so many refusals the version asked for is given up: the cluster was restored from an earlier snapshot. */
const MOST_TOO_LARGE = 5;

/**
 * An informer over HTTP, client-go's Reflector with its store: it watches from the beginning (`sendInitialEvents`;
 * where that is not served it lists first), comes back with the last version it saw, and when that version is gone
 * reads everything again and tells only the differences. It holds one copy of the matching objects, and while reading
 * everything again a second one of those that changed.
 */
export class HttpInformer<T extends KubeObject> implements OwnedInformer<T> {
  readonly #options: HttpInformerOptions<T>;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #handlers = new Set<(event: InformerEvent<T>) => void>();
  readonly #cache = new ObjectCache<T>((event) => this.#tell(event));
  readonly #failureDelay: RetryDelay;
  readonly #searchDelay: RetryDelay;
  #isReachable = true;
  /** The version everything up to which is here; undefined before the first list and after it was lost. */
  #version: string | undefined;
  /** The newest version seen: a server that lags behind must not take the informer back in time. */
  #newest: string | undefined;
  #watchList = true;
  #tooLarge = 0;
  #complaint = '';

  constructor(options: HttpInformerOptions<T>) {
    this.#options = options;
    this.#log = options.log.child('informer', { resource: options.type.resource });
    this.#failureDelay = new RetryDelay(LONGEST_RETRY_MS, options.random);
    this.#searchDelay = new RetryDelay(LONGEST_SEARCH_MS, options.random);
    // Nobody may be waiting when it is stopped.
    this.#synced.promise.catch(() => {});
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    const stopped = (): void => this.#synced.reject(new Error('the informer was stopped before its first list'));
    signal.addEventListener('abort', stopped, { once: true });
    void this.#run(signal);
  }

  synced(): Promise<void> {
    return this.#synced.promise;
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#cache.get(name, namespace);
  }

  list(namespace?: string): readonly T[] {
    return this.#cache.list(namespace);
  }

  subscribe(handler: (event: InformerEvent<T>) => void): () => void {
    // A handler of its own, should the same function subscribe twice.
    const own = (event: InformerEvent<T>): void => handler(event);
    for (const object of this.#cache.list()) this.#tellOne(own, { type: 'added', object });
    this.#handlers.add(own);
    return () => this.#handlers.delete(own);
  }

  stop(): void {
    this.#stop.abort();
    this.#handlers.clear();
    this.#cache.clear();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { clock } = this.#options;
      const began = clock.now();
      try {
        const heard = await this.#once(signal);
        // A server that ends every watch at once must not be asked again at once.
        if (heard || clock.now() - began >= LASTING_MS) this.#recovered();
        else await this.#wait(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error, signal);
      }
    }
  }

  /** One watch, or one list; resolves with whether anything was heard. */
  async #once(signal: AbortSignal): Promise<boolean> {
    if (this.#version === undefined && !this.#watchList) {
      const { transport, type, selector } = this.#options;
      const { items, resourceVersion } = await transport.list(type, selector);
      if (signal.aborted) return false;
      this.#complete(
        items.map((item) => this.#own(item)),
        resourceVersion,
      );
      return true;
    }
    return this.#watch(signal);
  }

  async #watch(signal: AbortSignal): Promise<boolean> {
    const { transport, clock, stallMs } = this.#options;
    // The objects of the first events until they are complete; undefined when coming back.
    let initial: Map<string, T> | undefined = this.#version === undefined ? new Map() : undefined;
    let heard = false;
    await readWatch<T>(
      (path, onData, ended) => transport.stream(path, onData, ended),
      { path: this.#watchPath(initial !== undefined), clock, stallMs, signal },
      (event) => {
        if (signal.aborted) return;
        heard = true;
        this.#isReachable = true;
        if (initial === undefined) {
          this.#recovered();
          this.#apply(event);
        } else if (event.type === 'BOOKMARK') {
          if (!event.endsInitialEvents) return;
          const objects = [...initial.values()];
          initial = undefined;
          this.#complete(objects, event.resourceVersion);
        } else {
          const { name, namespace = '' } = event.object.metadata;
          if (event.type === 'DELETED') initial.delete(`${namespace}/${name}`);
          else initial.set(`${namespace}/${name}`, this.#own(event.object));
        }
      },
    );
    return heard;
  }

  #watchPath(fromTheBeginning: boolean): string {
    const { type, selector, random } = this.#options;
    const query: Query = {
      watch: true,
      allowWatchBookmarks: true,
      labelSelector: selector.labelSelector,
      fieldSelector: selector.fieldSelector,
      timeoutSeconds: Math.floor(SHORTEST_WATCH_S * (1 + random())),
    };
    const start: Query = fromTheBeginning
      ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', resourceVersion: this.#newest }
      : { resourceVersion: this.#version };
    return requestPath(type, { namespace: selector.namespace }, { ...query, ...start });
  }

  #own(object: T): T {
    const known = this.#cache.known(object);
    return this.#options.freeze ? deepFreeze(known) : known;
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.#reached(event.resourceVersion);
      return;
    }
    const object = this.#own(event.object);
    this.#reached(object.metadata.resourceVersion);
    if (event.type === 'DELETED') this.#cache.delete(object);
    else this.#cache.set(object);
  }

  #reached(version: string | undefined): void {
    if (version === undefined || version === '') return;
    this.#version = version;
    this.#newest = version;
  }

  #complete(objects: readonly T[], version: string): void {
    this.#reached(version);
    this.#cache.replace(objects);
    this.#synced.resolve();
    this.#recovered();
  }

  #recovered(): void {
    if (this.#complaint !== '') this.#log.info('watching again');
    this.#complaint = '';
    this.#tooLarge = 0;
    this.#isReachable = true;
    this.#failureDelay.reset();
    this.#searchDelay.reset();
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    if (isVersionGone(error) && this.#version !== undefined) {
      this.#log.debug('the version is gone, reading everything again', { version: this.#version });
      this.#version = undefined;
      return;
    }
    if (isVersionTooLarge(error)) {
      this.#tooLarge += 1;
      if (this.#tooLarge >= MOST_TOO_LARGE) {
        this.#version = undefined;
        this.#newest = undefined;
      }
    } else if (this.#version === undefined && this.#watchList && isWatchListUnserved(error)) {
      this.#log.debug('initial events are not served, listing');
      this.#watchList = false;
      return;
    }
    this.#isReachable = !(error instanceof UnreachableError);
    const text = errorText(error);
    // A server that is away is told of once, where connections are made, not by every informer.
    if (text !== this.#complaint) this.#log[this.#isReachable ? 'warn' : 'debug']('watch failed', { error: text });
    this.#complaint = text;
    await this.#wait(signal);
  }

  /** Waits before the next attempt; as long as no server answers, until one does. */
  async #wait(signal: AbortSignal): Promise<void> {
    const { clock, random, transport } = this.#options;
    if (this.#isReachable) {
      await sleep(clock, this.#failureDelay.next(), signal);
      return;
    }
    const connected = new AbortController();
    const unsubscribe = transport.onConnect(() => connected.abort());
    await sleep(clock, this.#searchDelay.next(), AbortSignal.any([signal, connected.signal]));
    unsubscribe();
    if (connected.signal.aborted) await sleep(clock, random() * SPREAD_MS, signal);
  }

  #tell(event: InformerEvent<T>): void {
    for (const handler of [...this.#handlers]) if (this.#handlers.has(handler)) this.#tellOne(handler, event);
  }

  #tellOne(handler: (event: InformerEvent<T>) => void, event: InformerEvent<T>): void {
    try {
      handler(event);
    } catch (error) {
      // One faulty handler must keep neither the others nor the next events from being told.
      this.#log.error('a handler failed', { event: event.type, error: errorText(error) });
    }
  }
}

/** Servers without the feature refuse the option, or send the objects without ever telling where they end. */
function isWatchListUnserved(error: unknown): boolean {
  return error instanceof StalledError || (error instanceof StatusError && [400, 422].includes(error.code));
}

import type { KubeObject } from '../../api/types.ts';
import type { DatastoreEvent } from '../../datastore/datastore.ts';
import { SortedKeys } from './sorted-keys.ts';
import { StoredObject } from './stored-object.ts';

/** What became of one object. `previous` is what was there before (undefined for ADDED). */
export interface CacheEvent<T extends KubeObject = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly stored: StoredObject<T>;
  readonly previous: StoredObject<T> | undefined;
}

/** How many events a resource keeps for watchers that come back; older ones are read from the datastore. */
const KEPT_EVENTS = 1024;
/** The ring is cut to KEPT_EVENTS only when it is half as long again: moving it at each event would cost more. */
const TRIM_AT = KEPT_EVENTS + KEPT_EVENTS / 2;
/** What the kept events of one resource may hold on to; a few large objects must not fill the memory. */
const KEPT_BYTES = 4 * 1024 * 1024;

/**
 * The watch cache of one resource: every object, in memory once, in key order, and its latest events. Invariant:
 * `#events` holds every event after revision `floor`, oldest first.
 */
export class ResourceCache<T extends KubeObject = KubeObject> {
  readonly prefix: string;
  readonly #objects = new Map<string, StoredObject<T>>();
  readonly #listeners = new Set<(event: CacheEvent<T>) => void>();
  readonly #keys = new SortedKeys(() => this.#objects.keys());
  #events: CacheEvent<T>[] = [];
  #eventBytes = 0;
  #floor: number;

  /** `revision` is the one the initial objects are true at. */
  constructor(prefix: string, revision: number) {
    this.prefix = prefix;
    this.#floor = revision;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** The revision of the latest event; before the first one, the revision the cache began at. */
  get lastRevision(): number {
    return this.#events.at(-1)?.stored.revision ?? this.#floor;
  }

  /** Events after this revision are in memory. */
  get floor(): number {
    return this.#floor;
  }

  /** Enters an object that was there before the cache began. */
  load(stored: StoredObject<T>): void {
    this.#objects.set(stored.key, stored);
    this.#keys.add(stored.key);
  }

  get(key: string): StoredObject<T> | undefined {
    return this.#objects.get(key);
  }

  /** The objects whose key starts with `prefix` and comes after `after`, in key order, at most `limit`. */
  list(prefix: string = this.prefix, after = '', limit = Number.POSITIVE_INFINITY): StoredObject<T>[] {
    const found: StoredObject<T>[] = [];
    for (const key of this.#keys.range(prefix, after, limit)) {
      const stored = this.#objects.get(key);
      if (stored !== undefined) found.push(stored);
    }
    return found;
  }

  /** How many there are of them. */
  count(prefix: string, after: string): number {
    return this.#keys.count(prefix, after);
  }

  apply(event: DatastoreEvent): void {
    const key = event.kv.key;
    const previous = this.#objects.get(key);
    const stored = new StoredObject<T>(event.kv);
    let type: CacheEvent['type'];
    if (event.type === 'DELETE') {
      type = 'DELETED';
      this.#objects.delete(key);
      this.#keys.delete(key);
    } else {
      type = previous === undefined ? 'ADDED' : 'MODIFIED';
      this.#objects.set(key, stored);
      if (previous === undefined) this.#keys.add(key);
    }
    const change: CacheEvent<T> = { type, stored, previous };
    this.#events.push(change);
    this.#eventBytes += stored.bytes.length;
    if (this.#events.length > TRIM_AT || this.#eventBytes > 2 * KEPT_BYTES) this.#trim();
    for (const listener of this.#listeners) listener(change);
  }

  /** Drops the oldest events, down to what is kept; the latest always stays. */
  #trim(): void {
    let from = this.#events.length;
    let bytes = 0;
    while (from > 0 && this.#events.length - from < KEPT_EVENTS) {
      const size = this.#events[from - 1]?.stored.bytes.length ?? 0;
      if (bytes > 0 && bytes + size > KEPT_BYTES) break;
      bytes += size;
      from--;
    }
    const dropped = this.#events[from - 1];
    this.#events = this.#events.slice(from);
    this.#eventBytes = bytes;
    if (dropped !== undefined) this.#floor = dropped.stored.revision;
  }

  /** The events after `revision`, oldest first; undefined when some of them are no longer in memory. */
  eventsSince(revision: number): CacheEvent<T>[] | undefined {
    if (revision < this.#floor) return undefined;
    let at = this.#events.length;
    while (at > 0 && (this.#events[at - 1]?.stored.revision ?? 0) > revision) at--;
    return this.#events.slice(at);
  }

  /** Calls `listener` with each event from now on, in order; it must be quick and must not throw. */
  subscribe(listener: (event: CacheEvent<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

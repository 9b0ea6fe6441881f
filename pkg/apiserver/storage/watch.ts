import { statusErrors } from '../../apimachinery/status-error.ts';
import { CompactedError } from '../../datastore/datastore.ts';
import type { CacheEvent, ResourceCache } from './resource-cache.ts';
import type { Selection } from './selection.ts';
import type { Store } from './store.ts';
import { StoredObject } from './stored-object.ts';

/** An event as a watcher sees it: an object that begins or ceases to match is added or deleted. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly stored: StoredObject;
}

export interface WatchOptions {
  /** Only keys that start with this. */
  readonly prefix: string;
  readonly selection: Selection;
  /** Events after this revision; undefined: begin with the objects there are now. */
  readonly since: number | undefined;
}

/** Events read from the datastore at once for a watcher that was away longer than memory reaches. */
const CATCH_UP_LIMIT = 10_000;

/**
 * Feeds `deliver` with a watch: first what the watcher missed or the present objects, then `started` is called once,
 * then every event as it comes. Throws Expired when `since` is no longer to be had. Returns the unsubscriber.
 */
export async function startWatch(
  store: Store,
  cache: ResourceCache,
  options: WatchOptions,
  deliver: (event: WatchEvent) => void,
  started: () => void = () => {},
): Promise<() => void> {
  const { prefix, selection, since } = options;
  const forward = (event: CacheEvent): void => {
    if (!event.stored.key.startsWith(prefix)) return;
    // The client may be ahead of this server: what it knows already is not told again.
    if (since !== undefined && event.stored.revision <= since) return;
    const seen = seenBy(selection, event);
    if (seen !== undefined) deliver(seen);
  };
  if (since === undefined) {
    for (const stored of cache.list(prefix)) if (selection.matches(stored)) deliver({ type: 'ADDED', stored });
    started();
    return cache.subscribe(forward);
  }
  const recent = cache.eventsSince(since);
  if (recent !== undefined) {
    for (const event of recent) forward(event);
    started();
    return cache.subscribe(forward);
  }
  // Live events wait until the old ones were delivered; the revision tells which were read already.
  const waiting: CacheEvent[] = [];
  let live: (event: CacheEvent) => void = (event) => waiting.push(event);
  const unsubscribe = cache.subscribe((event) => live(event));
  try {
    const missed = await store.datastore.since(prefix, since, CATCH_UP_LIMIT);
    if (missed.length >= CATCH_UP_LIMIT) throw new CompactedError(since, cache.floor);
    let last = since;
    for (const { type, kv } of missed) {
      last = kv.modRevision;
      const stored = new StoredObject(kv);
      const created = kv.createRevision === kv.modRevision;
      const cacheType = type === 'DELETE' ? 'DELETED' : created ? 'ADDED' : 'MODIFIED';
      forward({ type: cacheType, stored, previous: undefined });
    }
    for (const event of waiting) if (event.stored.revision > last) forward(event);
    live = forward;
    started();
    return unsubscribe;
  } catch (error) {
    unsubscribe();
    if (error instanceof CompactedError) throw statusErrors.tooOldResourceVersion(since, error.floor);
    throw error;
  }
}

/**
 * What the selection makes of an event. Without the previous state (an event read back from the datastore) an object
 * that does not match now is told as deleted: watchers take the deletion of something they never saw for nothing.
 */
function seenBy(selection: Selection, event: CacheEvent): WatchEvent | undefined {
  const { type, stored, previous } = event;
  if (selection.isEverything) return { type, stored };
  const matched = previous === undefined ? type !== 'ADDED' : selection.matches(previous);
  if (type === 'DELETED') return matched ? { type, stored } : undefined;
  if (selection.matches(stored)) {
    return { type: matched && type === 'MODIFIED' ? 'MODIFIED' : 'ADDED', stored };
  }
  if (!matched) return undefined;
  // The watcher is told of the object as it knew it, at the version at which it left.
  return { type: 'DELETED', stored: previous === undefined ? stored : previous.at(stored.revision) };
}

/**
 * The datastore: a revisioned key-value log. Every write makes one event with the next revision; revisions never
 * repeat and never go back, not even over a crash. Implementations: libsql/ (one server), etcd/ (three servers).
 */

/** A key's value at one revision. `value` is opaque bytes and must not be changed by anyone. */
export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the write that created the key. */
  readonly createRevision: number;
  /** Revision of the last write of the key. */
  readonly modRevision: number;
}

/** One committed write. `kv` of a DELETE holds the last value; its modRevision is the revision of the deletion. */
export interface DatastoreEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: KeyValue;
}

/** What a write did: on a lost race `current` is the value found instead (undefined: there is no such key). */
export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  | { readonly ok: false; readonly current: KeyValue | undefined };

export interface WriteOptions {
  /**
   * `lazy` writes are acknowledged from memory and reach the disk with the next durable write, or after
   * LAZY_FLUSH_MS at the latest: a crash may lose them (never their revision numbers). For Leases and Events.
   */
  readonly durability?: 'durable' | 'lazy';
}

export interface ListOptions {
  /** List as of this revision; the newest when left out. Throws CompactedError when it is compacted away. */
  readonly revision?: number;
  /** At most this many keys. */
  readonly limit?: number;
  /** Start after this key. */
  readonly after?: string;
}

export interface ListResult {
  readonly kvs: readonly KeyValue[];
  /** The revision the list is true at. */
  readonly revision: number;
  /** Whether `limit` cut the list. */
  readonly more: boolean;
  /** How many keys from `after` to the end of the prefix there are at that revision, `limit` or not. */
  readonly count: number;
}

/** Thrown when a revision older than the compaction floor is asked for; the API answers 410 Gone (`Expired`). */
export class CompactedError extends Error {
  override readonly name = 'CompactedError';
  readonly requested: number;
  readonly floor: number;

  constructor(requested: number, floor: number) {
    super(`revision ${requested} has been compacted; the oldest available is ${floor}`);
    this.requested = requested;
    this.floor = floor;
  }
}

/** Largest value a write may carry, in bytes: etcd's default request limit, which API clients expect. */
export const MAX_VALUE_BYTES = 1.5 * 1024 * 1024;

/** `lazy` writes reach the disk at most this many milliseconds after they were made. */
export const LAZY_FLUSH_MS = 60_000;

/**
 * - `queue-full`: too many operations are waiting; try again later.
 * - `value-too-large`, `invalid-key`: the request cannot succeed.
 * - `disk-full`: the write was not made; writes work again when there is space.
 * - `future-revision`: a revision was asked for that has not been given out yet.
 * - `unavailable`: no answer in time, because etcd has no leader or is starting; whether a write was made is unknown.
 * - `closed`: the datastore was closed.
 * - `failed`: the datastore has stopped for good; whether a waiting write was made is unknown.
 */
export type DatastoreErrorCode =
  | 'queue-full'
  | 'value-too-large'
  | 'invalid-key'
  | 'disk-full'
  | 'future-revision'
  | 'unavailable'
  | 'closed'
  | 'failed';

/** Thrown by every Datastore method for what is not a lost race or a compacted revision. */
export class DatastoreError extends Error {
  override readonly name = 'DatastoreError';
  readonly code: DatastoreErrorCode;

  constructor(code: DatastoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Datastore {
  /** The revision of the newest event that was given to subscribers. */
  readonly revision: number;
  /**
   * Resolves when subscribers were given every write that any server had acknowledged when this was called: reading
   * their copy is then as good as reading the datastore. One server's own writes are known at once.
   */
  current(): Promise<void>;
  get(key: string): Promise<KeyValue | undefined>;
  /** Keys that start with `prefix`, in byte order. */
  list(prefix: string, options?: ListOptions): Promise<ListResult>;
  /** Fails with the existing value when the key exists. */
  create(key: string, value: Uint8Array, options?: WriteOptions): Promise<WriteResult>;
  /** Succeeds only when the key's modRevision is `expectRevision`. */
  update(key: string, value: Uint8Array, expectRevision: number, options?: WriteOptions): Promise<WriteResult>;
  /** Succeeds only when the key's modRevision is `expectRevision`. */
  delete(key: string, expectRevision: number, options?: WriteOptions): Promise<WriteResult>;
  /**
   * Calls `listener` with each batch of events of all keys, in revision order, before the promise of any write in
   * the batch resolves: whoever awaited a write sees it in the watch cache. Returns the unsubscriber.
   */
  subscribe(listener: (events: readonly DatastoreEvent[]) => void): () => void;
  /**
   * The events of keys starting with `prefix` after `revision` up to now, oldest first; for a watcher that resumes.
   * Throws CompactedError.
   */
  since(prefix: string, revision: number, limit: number): Promise<readonly DatastoreEvent[]>;
  /** Forgets superseded values and deletions at or before `revision`; the database does not grow without bound. */
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}

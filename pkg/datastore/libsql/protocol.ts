/** What the main thread and the datastore worker say to each other. Every request has one reply with the same id. */

import type { DatastoreErrorCode } from '../datastore.ts';

/** What the worker needs to open the database; given as `workerData`. */
export interface WorkerInput {
  readonly path: string;
  /** Where the native addon is unpacked when running from the single executable. */
  readonly nativeDir: string;
}

/** One write of a group; its value is `values[offset, offset + length)` of the group. */
export interface WriteOp {
  readonly verb: 'create' | 'update' | 'delete';
  readonly key: string;
  /** The modRevision the key must have; of no meaning to `create`. */
  readonly expect: number;
  readonly offset: number;
  readonly length: number;
  readonly lazy: boolean;
}

/** A key's state as the worker knows it. */
export interface StoredValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** What became of one write; `removed` is the last value of a deleted key. */
export type WriteOutcome =
  | {
      readonly ok: true;
      readonly revision: number;
      readonly createRevision: number;
      readonly removed: Uint8Array | undefined;
    }
  | { readonly ok: false; readonly current: StoredValue | undefined };

export interface StoredEvent extends StoredValue {
  readonly deleted: boolean;
}

/** Figures for metrics and benchmarks. */
export interface LogStats {
  readonly revision: number;
  readonly floor: number;
  /** Transactions made durable since the database was opened; each costs one fsync. */
  readonly commits: number;
  /** Lazy writes held in memory only. */
  readonly pendingLazy: number;
  readonly pageBytes: number;
  readonly pages: number;
  readonly freePages: number;
}

/** The requests, each with its arguments and its result. */
export interface Calls {
  /** A group of writes that share one commit, in order. */
  write: {
    args: { readonly ops: readonly WriteOp[]; readonly values: Uint8Array };
    result: { readonly outcomes: readonly WriteOutcome[]; readonly revision: number; readonly pendingLazy: number };
  };
  get: { args: { readonly key: string }; result: StoredValue | undefined };
  /** One piece of a list: at most `limit` keys, fewer when they are large; `more` says that it was cut. */
  list: {
    args: {
      readonly prefix: string;
      readonly revision: number | undefined;
      readonly after: string | undefined;
      readonly limit: number;
      /** Whether to count the keys beyond the piece too. */
      readonly count: boolean;
    };
    result: {
      readonly kvs: readonly StoredValue[];
      readonly revision: number;
      readonly more: boolean;
      /** Keys after `after`; meaningful when asked for or when `more` is false. */
      readonly count: number;
    };
  };
  /** One piece of a log replay: at most `limit` events, fewer when they are large. */
  since: {
    args: { readonly prefix: string; readonly revision: number; readonly limit: number };
    result: { readonly events: readonly StoredEvent[]; readonly more: boolean };
  };
  /** Makes the lazy writes durable. */
  flush: { args: object; result: { readonly pendingLazy: number } };
  /** One bounded step of compaction towards `to`. */
  compact: { args: { readonly to: number }; result: { readonly floor: number; readonly done: boolean } };
  stats: { args: object; result: LogStats };
  /** Flushes and closes the database; the worker ends after its reply. */
  close: { args: object; result: undefined };
}

export type CallName = keyof Calls;

export type Request = {
  [Name in CallName]: { readonly id: number; readonly call: Name; readonly args: Calls[Name]['args'] };
}[CallName];

/** Errors that keep their type across the threads. */
export type WireError =
  | { readonly kind: 'datastore'; readonly code: DatastoreErrorCode; readonly message: string }
  | { readonly kind: 'compacted'; readonly requested: number; readonly floor: number };

/** State of the log when it was opened. */
export interface Opened {
  readonly revision: number;
  readonly floor: number;
}

export type FromWorker =
  | { readonly kind: 'opened'; readonly opened: Opened }
  /** The database cannot be opened; `operator` when the message tells the operator what to do. */
  | { readonly kind: 'refused'; readonly operator: boolean; readonly message: string }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError };

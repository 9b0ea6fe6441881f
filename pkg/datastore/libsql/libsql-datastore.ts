import { dirname, join, resolve } from 'node:path';
import type { Cancel, Clock } from '../../base/clock.ts';
import { OperatorError } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import {
  type Datastore,
  DatastoreError,
  type DatastoreEvent,
  type KeyValue,
  LAZY_FLUSH_MS,
  type ListOptions,
  type ListResult,
  type WriteOptions,
  type WriteResult,
} from '../datastore.ts';
import { checkKey } from '../keys.ts';
import { Compactor } from './compactor.ts';
import type { Calls, LogStats, Opened, WriteOutcome } from './protocol.ts';
import { WorkerLink } from './worker-link.ts';
import { packGroup, type WaitingWrite, WriteQueue } from './write-queue.ts';

export interface LibsqlOptions {
  /** The database file, made with its directory when missing: `pathsFor(dataDir).database`. */
  readonly path: string;
  /** Where the single executable unpacks the native addon: `pathsFor(dataDir).native`. */
  readonly nativeDir?: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** Called once when the datastore has stopped for good: the process should end and be started again. */
  readonly onFatal: (error: DatastoreError) => void;
}

/** Groups the worker may have: the one it commits, and the one it goes on with without waiting for this thread. */
const MAX_GROUPS = 2;
/** So many waiting writes make a group; fewer wait for others until this turn of the event loop is over. */
const FULL_GROUP = 8;
/** Keys or events in one piece of a read; writes go on between pieces. */
const PIECE_ROWS = 500;
/** Reads that may wait for the worker. */
const MAX_READS = 1000;
const NO_VALUE = new Uint8Array(0);

/** Databases this process has open: a second opening must not even look at the file, see inspectDatabaseFile. */
const openPaths = new Set<string>();

/**
 * Opens the datastore of a single server: an append-only log in a libSQL file, owned by a worker thread. Throws
 * OperatorError, leaving the file as it is, when it is in use, damaged, foreign or of a newer format.
 */
export async function openLibsqlDatastore(options: LibsqlOptions): Promise<LibsqlDatastore> {
  const path = resolve(options.path);
  if (openPaths.has(path)) throw new OperatorError(`the datastore ${path} is already open in this process`);
  openPaths.add(path);
  const release = (): void => {
    openPaths.delete(path);
  };
  try {
    let store: LibsqlDatastore | undefined;
    const input = { path, nativeDir: options.nativeDir ?? join(dirname(path), 'native') };
    const { link, opened } = await WorkerLink.start(input, (error) => store?.fail(error));
    store = new LibsqlDatastore(link, opened, options, release);
    return store;
  } catch (error) {
    release();
    throw error;
  }
}

/** See Datastore. Few groups of writes are at the worker at a time; what arrives meanwhile forms the next group. */
export class LibsqlDatastore implements Datastore {
  readonly #link: WorkerLink;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #onFatal: (error: DatastoreError) => void;
  readonly #release: () => void;
  readonly #queue = new WriteQueue();
  readonly #compactor: Compactor;
  readonly #listeners = new Set<(events: readonly DatastoreEvent[]) => void>();
  #revision: number;
  #closed: DatastoreError | undefined;
  #closing: Promise<void> | undefined;
  readonly #groupsAtWorker = new Set<Promise<void>>();
  #sendScheduled = false;
  #reads = 0;
  /** The newest piece of a long read; pieces of all long reads take turns. */
  #lastPiece: Promise<unknown> = Promise.resolve();
  #flushTimer: Cancel | undefined;

  /** Use openLibsqlDatastore. */
  constructor(link: WorkerLink, opened: Opened, options: LibsqlOptions, release: () => void) {
    this.#link = link;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#onFatal = options.onFatal;
    this.#release = release;
    this.#compactor = new Compactor(link, opened, this.#log, options.clock);
    this.#revision = opened.revision;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Nobody else writes, and subscribers are told before writers. */
  current(): Promise<void> {
    return Promise.resolve();
  }

  create(key: string, value: Uint8Array, options?: WriteOptions): Promise<WriteResult> {
    return this.#write('create', key, value, 0, options);
  }

  update(key: string, value: Uint8Array, expectRevision: number, options?: WriteOptions): Promise<WriteResult> {
    return this.#write('update', key, value, expectRevision, options);
  }

  delete(key: string, expectRevision: number, options?: WriteOptions): Promise<WriteResult> {
    return this.#write('delete', key, NO_VALUE, expectRevision, options);
  }

  async get(key: string): Promise<KeyValue | undefined> {
    checkKey(key);
    return this.#read(() => this.#link.call('get', { key }));
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    return this.#read(async () => {
      const limit = options.limit ?? Number.POSITIVE_INFINITY;
      const kvs: KeyValue[] = [];
      let { revision, after } = options;
      let unpin = revision === undefined ? undefined : this.#compactor.pin(revision);
      let count: number | undefined;
      try {
        for (;;) {
          const piece = await this.#piece('list', {
            prefix,
            revision,
            after,
            limit: Math.min(limit - kvs.length, PIECE_ROWS),
            count: count === undefined && options.limit !== undefined,
          });
          unpin ??= this.#compactor.pin(piece.revision);
          revision = piece.revision;
          after = piece.kvs.at(-1)?.key;
          count ??= piece.count;
          kvs.push(...piece.kvs);
          const cut = piece.more && kvs.length >= limit;
          if (cut || !piece.more) return { kvs, revision, more: piece.more, count: piece.more ? count : kvs.length };
        }
      } finally {
        unpin?.();
      }
    });
  }

  async since(prefix: string, revision: number, limit: number): Promise<readonly DatastoreEvent[]> {
    return this.#read(async () => {
      const unpin = this.#compactor.pin(revision);
      const events: DatastoreEvent[] = [];
      let from = revision;
      try {
        while (events.length < limit) {
          const rows = Math.min(limit - events.length, PIECE_ROWS);
          const piece = await this.#piece('since', { prefix, revision: from, limit: rows });
          for (const { deleted, ...kv } of piece.events) events.push({ type: deleted ? 'DELETE' : 'PUT', kv });
          if (!piece.more) break;
          from = piece.events.at(-1)?.modRevision ?? from;
        }
        return events;
      } finally {
        unpin();
      }
    });
  }

  subscribe(listener: (events: readonly DatastoreEvent[]) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async compact(revision: number): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    await this.#checked(this.#compactor.compact(revision));
  }

  /** Figures for metrics and benchmarks. */
  async stats(): Promise<LogStats> {
    return this.#read(() => this.#link.call('stats', {}));
  }

  /** Refuses new work, finishes what waits, flushes lazy writes and closes the file. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends everything after the worker failed; called once. */
  fail(error: DatastoreError): void {
    this.#closed = error;
    this.#cancelFlush();
    for (const write of this.#queue.takeAll()) write.reject(error);
    void this.#compactor.stop();
    this.#release();
    this.#log.error('datastore failed', { error: errorText(error) });
    this.#onFatal(error);
  }

  async #close(): Promise<void> {
    if (this.#closed === undefined) this.#closed = new DatastoreError('closed', 'the datastore is closed');
    this.#cancelFlush();
    while (this.#queue.length > 0 || this.#groupsAtWorker.size > 0) {
      if (this.#queue.length > 0) this.#sendGroup();
      await Promise.all(this.#groupsAtWorker);
    }
    await this.#compactor.stop();
    await this.#link.close();
    this.#release();
  }

  #write(
    verb: WaitingWrite['verb'],
    key: string,
    value: Uint8Array,
    expect: number,
    options: WriteOptions | undefined,
  ): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed;
      this.#queue.add({ verb, key, value, expect, lazy: options?.durability === 'lazy', resolve, reject });
      if (this.#queue.length >= FULL_GROUP && this.#groupsAtWorker.size < MAX_GROUPS) this.#sendGroup();
      else this.#scheduleSend();
    });
  }

  /** Lets what is ready to write in this turn of the event loop join the group. */
  #scheduleSend(): void {
    if (this.#sendScheduled || this.#queue.length === 0) return;
    this.#sendScheduled = true;
    setImmediate(() => {
      this.#sendScheduled = false;
      if (this.#groupsAtWorker.size < MAX_GROUPS && this.#queue.length > 0) this.#sendGroup();
    });
  }

  #sendGroup(): void {
    const group = this.#queue.takeGroup();
    const { ops, values } = packGroup(group);
    const atWorker = this.#link.call('write', { ops, values }, [values.buffer]).then(
      (result) => {
        this.#groupsAtWorker.delete(atWorker);
        this.#finish(group, result);
      },
      (error: unknown) => {
        this.#groupsAtWorker.delete(atWorker);
        this.#noticeFailure(error);
        for (const write of group) write.reject(error instanceof Error ? error : new Error(String(error)));
        this.#scheduleSend();
      },
    );
    this.#groupsAtWorker.add(atWorker);
  }

  /** Hands a committed group out: first to the subscribers, then to the writers. */
  #finish(group: readonly WaitingWrite[], result: Calls['write']['result']): void {
    const events: DatastoreEvent[] = [];
    group.forEach((write, index) => {
      const outcome = result.outcomes[index];
      if (outcome?.ok === true) events.push(eventOf(write, outcome));
    });
    this.#revision = result.revision;
    if (events.length > 0) this.#publish(events);
    group.forEach((write, index) => {
      const outcome = result.outcomes[index];
      if (outcome === undefined) write.reject(new DatastoreError('failed', 'the worker did not answer a write'));
      else write.resolve(outcome.ok ? { ok: true, revision: outcome.revision } : outcome);
    });
    this.#planFlush(result.pendingLazy);
    this.#compactor.note(result.revision);
    this.#scheduleSend();
  }

  #publish(events: readonly DatastoreEvent[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(events);
      } catch (error) {
        this.#log.error('a subscriber threw', { error: errorText(error) });
      }
    }
  }

  /** The oldest lazy write waits LAZY_FLUSH_MS at most; a durable write takes all of them along. */
  #planFlush(pendingLazy: number): void {
    if (pendingLazy === 0) this.#cancelFlush();
    else if (this.#closed === undefined)
      this.#flushTimer ??= this.#clock.setTimeout(() => this.#flush(), LAZY_FLUSH_MS);
  }

  #flush(): void {
    this.#flushTimer = undefined;
    this.#checked(this.#link.call('flush', {})).catch((error: unknown) => {
      if (this.#closed !== undefined) return;
      this.#log.warn('lazy writes were not flushed, will try again', { error: errorText(error) });
      this.#planFlush(1);
    });
  }

  #cancelFlush(): void {
    this.#flushTimer?.();
    this.#flushTimer = undefined;
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#reads >= MAX_READS) {
      throw new DatastoreError('queue-full', `${this.#reads} reads are waiting for the datastore; try again later`);
    }
    this.#reads++;
    try {
      return await this.#checked(read());
    } finally {
      this.#reads--;
    }
  }

  #piece<Name extends 'list' | 'since'>(name: Name, args: Calls[Name]['args']): Promise<Calls[Name]['result']> {
    const piece = this.#lastPiece.then(() => this.#link.call(name, args));
    this.#lastPiece = piece.catch(() => {});
    return piece;
  }

  async #checked<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } catch (error) {
      this.#noticeFailure(error);
      throw error;
    }
  }

  /** An error that leaves the log in an unknown state ends the datastore. */
  #noticeFailure(error: unknown): void {
    if (error instanceof DatastoreError && error.code === 'failed') this.#link.fail(error);
  }
}

function eventOf(write: WaitingWrite, outcome: Extract<WriteOutcome, { ok: true }>): DatastoreEvent {
  const { revision: modRevision, createRevision } = outcome;
  const { key } = write;
  return write.verb === 'delete'
    ? { type: 'DELETE', kv: { key, value: outcome.removed ?? NO_VALUE, createRevision, modRevision } }
    : { type: 'PUT', kv: { key, value: write.value, createRevision, modRevision } };
}

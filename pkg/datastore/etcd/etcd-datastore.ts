import { type Clock, sleep } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { GrpcError } from '../../grpc/error.ts';
import {
  CompactedError,
  type Datastore,
  DatastoreError,
  type DatastoreEvent,
  type KeyValue,
  type ListOptions,
  type ListResult,
  type WriteResult,
} from '../datastore.ts';
import { checkKey, compareKeys, prefixEnd } from '../keys.ts';
import type { EtcdCallOptions, EtcdClient, EtcdMessage, EtcdRequest } from './client.ts';
import { classify, datastoreError } from './errors.ts';
import { Progress } from './progress.ts';
import { canNeverWin, checkWrite, type EtcdWrite, keyValueOf, transactionOf } from './write.ts';

export interface EtcdDatastoreOptions {
  /** A client of this server's own etcd; closed with the datastore. */
  readonly client: EtcdClient;
  readonly log: Logger;
  readonly clock: Clock;
  /** Aborts when the process is asked to end: from then on nobody waits for long for a cluster without a quorum. */
  readonly ending?: AbortSignal | undefined;
  /** Called once when the datastore has stopped for good: the process should end and be started again. */
  readonly onFatal: (error: DatastoreError) => void;
}

const NO_VALUE = new Uint8Array(0);
/** One more than every key: the end of the range of all keys that begin at the first one, in etcd's notation. */
const EVERYTHING = '\0';
/**
 * One attempt of a call: a proposal that went to a leader that has died is never answered, and the next leader takes
 * it at once.
 */
const ATTEMPT_MS = 2_500;
/** Tries go on for so long: an election takes 2 to 4 s. */
const PATIENCE_MS = 15_000;
/** All tries together once the process is asked to end. */
const LAST_PATIENCE_MS = 4_000;
const RETRY_MS = 200;
const MAX_WAITING = 10_000;
const MAX_IN_FLIGHT = 256;
/** Rows and bytes of one page of a list. */
const PAGE_ROWS = 500;
const FIRST_PAGE_ROWS = 100;
const PAGE_BYTES = 4 * 1024 * 1024;

/** Connects to etcd; resolves when it answers and the watch of all keys is there. */
export async function openEtcdDatastore(options: EtcdDatastoreOptions): Promise<EtcdDatastore> {
  const store = new EtcdDatastore(options);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * See Datastore. Revisions are etcd's own. Every server has its own etcd and this connection to it; what other servers
 * write comes by the one watch over all keys, and so does what this one writes: a write resolves when the watch has
 * passed its revision. Invariant: subscribers were given all events up to `revision`, and none after it.
 */
export class EtcdDatastore implements Datastore {
  readonly #client: EtcdClient;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #onFatal: (error: DatastoreError) => void;
  readonly #listeners = new Set<(events: readonly DatastoreEvent[]) => void>();
  readonly #progress: Progress;
  readonly #stop = new AbortController();
  /** The last write of each key that has one under way: writes of one key are made one after the other. */
  readonly #lastOfKey = new Map<string, Promise<unknown>>();
  readonly #turns: (() => void)[] = [];
  /** When to give up whatever is tried, ms. */
  #limit = Number.POSITIVE_INFINITY;
  #inFlight = 0;
  #pending = 0;
  #idle: (() => void) | undefined;
  #closed: DatastoreError | undefined;
  #closing: Promise<void> | undefined;
  #watching: Promise<void> = Promise.resolve();
  #reading: Promise<void> | undefined;
  #nextReading: Promise<void> | undefined;

  /** Use openEtcdDatastore. */
  constructor({ client, log, clock, ending, onFatal }: EtcdDatastoreOptions) {
    this.#client = client;
    this.#log = log;
    this.#clock = clock;
    this.#onFatal = onFatal;
    this.#progress = new Progress(clock);
    ending?.addEventListener('abort', () => {
      this.#limit = clock.now() + LAST_PATIENCE_MS;
    });
  }

  async open(): Promise<void> {
    const { header } = await this.#retry((options) => this.#client.call('range', { key: EVERYTHING }, options));
    this.#progress.reach(header?.revision ?? 0);
    const watching = Promise.withResolvers<void>();
    this.#watching = this.#watch(watching.resolve);
    await watching.promise;
  }

  get revision(): number {
    return this.#progress.revision;
  }

  /** Callers that come while etcd is being asked share the next question: the one under way may be too old for them. */
  current(): Promise<void> {
    if (this.#nextReading !== undefined) return this.#nextReading;
    const before = this.#reading ?? Promise.resolve();
    const next = before
      .catch(() => {})
      .then(() => {
        this.#nextReading = undefined;
        this.#reading = this.#catchUp();
        return this.#reading;
      });
    this.#nextReading = next;
    return next;
  }

  async #catchUp(): Promise<void> {
    const { header } = await this.#read({ key: EVERYTHING, countOnly: true });
    await this.#reached(header?.revision ?? 0);
  }

  async get(key: string): Promise<KeyValue | undefined> {
    checkKey(key);
    const { kvs } = await this.#read({ key });
    return kvs[0] && keyValueOf(kvs[0]);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const rangeEnd = prefixEnd(prefix) ?? EVERYTHING;
    const kvs: KeyValue[] = [];
    let { revision } = options;
    let count: number | undefined;
    let rows = FIRST_PAGE_ROWS;
    let key = lowerBound(prefix, options.after);
    for (;;) {
      const most = Math.min(limit - kvs.length, rows);
      const page = await this.#read({ key, rangeEnd, limit: most, ...(revision === undefined ? {} : { revision }) });
      revision ??= page.header?.revision ?? 0;
      count ??= page.count;
      let bytes = 0;
      for (const kv of page.kvs) {
        bytes += kv.value.length;
        kvs.push(keyValueOf(kv));
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined || kvs.length >= limit) {
        return { kvs, revision, more: page.more, count: count ?? kvs.length };
      }
      key = `${last.key}\0`;
      rows = Math.max(1, Math.min(PAGE_ROWS, Math.floor(PAGE_BYTES / (bytes / page.kvs.length + 1))));
    }
  }

  create(key: string, value: Uint8Array): Promise<WriteResult> {
    return this.#write({ verb: 'create', key, value, expect: 0 });
  }

  update(key: string, value: Uint8Array, expectRevision: number): Promise<WriteResult> {
    return this.#write({ verb: 'update', key, value, expect: expectRevision });
  }

  delete(key: string, expectRevision: number): Promise<WriteResult> {
    return this.#write({ verb: 'delete', key, value: NO_VALUE, expect: expectRevision });
  }

  subscribe(listener: (events: readonly DatastoreEvent[]) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Every revision has an event of some key: a watch of all keys tells by them when it has caught up. */
  async since(prefix: string, revision: number, limit: number): Promise<readonly DatastoreEvent[]> {
    await this.current();
    const target = this.revision;
    if (revision > target) {
      const message = `revision ${revision} is in the future; the newest is ${target}`;
      throw new DatastoreError('future-revision', message);
    }
    const events: DatastoreEvent[] = [];
    if (revision === target) return events;
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, this.#stop.signal, AbortSignal.timeout(PATIENCE_MS)]);
    // From the revision itself, not the one after it: etcd then tells when it is compacted away.
    const watch = { key: EVERYTHING, rangeEnd: EVERYTHING, startRevision: Math.max(revision, 1), prevKv: true };
    try {
      for await (const response of this.#client.watch(watch, signal)) {
        if (response.canceled) throw canceledError(response, revision);
        for (const event of response.events) {
          const made = eventOf(event);
          if (made === undefined || made.kv.modRevision <= revision) continue;
          if (made.kv.modRevision > target) return events;
          if (made.kv.key.startsWith(prefix)) events.push(made);
          if (events.length >= limit || made.kv.modRevision === target) return events;
        }
      }
      return events;
    } catch (error) {
      throw datastoreError(error);
    } finally {
      enough.abort();
    }
  }

  async compact(revision: number): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    try {
      await this.#retry((options) =>
        this.#client.call('compaction', { revision: Math.min(revision, this.revision), physical: true }, options),
      );
    } catch (error) {
      if (classify(error) !== 'compacted') throw datastoreError(error);
    }
  }

  /** Refuses new work, finishes what waits and ends the connection. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed ??= new DatastoreError('closed', 'the datastore is closed');
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#stop.abort();
    await this.#watching;
    this.#client.close();
    this.#progress.fail(this.#closed);
  }

  async #write(write: EtcdWrite): Promise<WriteResult> {
    if (this.#closed !== undefined) throw this.#closed;
    checkWrite(write);
    if (this.#pending >= MAX_WAITING) {
      throw new DatastoreError('queue-full', `${this.#pending} writes are waiting for etcd; try again later`);
    }
    this.#pending++;
    const before = this.#lastOfKey.get(write.key);
    const made = before === undefined ? this.#inTurn(write) : before.then(() => this.#inTurn(write));
    const settled = made.then(
      () => {},
      () => {},
    );
    this.#lastOfKey.set(write.key, settled);
    try {
      return await made;
    } finally {
      if (this.#lastOfKey.get(write.key) === settled) this.#lastOfKey.delete(write.key);
      this.#pending--;
      if (this.#pending === 0) this.#idle?.();
    }
  }

  /** Bounds how many writes are at etcd at a time. */
  async #inTurn(write: EtcdWrite): Promise<WriteResult> {
    if (this.#inFlight >= MAX_IN_FLIGHT) await new Promise<void>((resolve) => this.#turns.push(resolve));
    else this.#inFlight++;
    try {
      return await this.#commit(write);
    } finally {
      const next = this.#turns.shift();
      if (next === undefined) this.#inFlight--;
      else next();
    }
  }

  /**
   * Makes one write, again when no answer came: the key's revision decides, so that it is made once at most. What an
   * unanswered attempt made is told by the bytes: no two writers write the same ones.
   */
  async #commit(write: EtcdWrite): Promise<WriteResult> {
    if (canNeverWin(write)) return { ok: false, current: await this.get(write.key) };
    let attempts = 0;
    let response: EtcdMessage<'TxnResponse'>;
    try {
      response = await this.#retry((options) => {
        attempts++;
        return this.#client.call('txn', transactionOf(write), options);
      });
    } catch (error) {
      throw datastoreError(error);
    }
    const revision = response.header?.revision ?? 0;
    await this.#reached(revision);
    if (response.succeeded) return { ok: true, revision };
    const found = response.responses[0]?.responseRange?.kvs[0];
    const current = found && keyValueOf(found);
    const unanswered = attempts > 1 && write.verb !== 'delete';
    if (unanswered && current !== undefined && Buffer.compare(current.value, write.value) === 0) {
      return { ok: true, revision: current.modRevision };
    }
    return { ok: false, current };
  }

  async #read(request: EtcdRequest<'RangeRequest'>): Promise<EtcdMessage<'RangeResponse'>> {
    if (this.#closed !== undefined && this.#pending === 0) throw this.#closed;
    try {
      return await this.#retry((options) => this.#client.call('range', request, options));
    } catch (error) {
      if (classify(error) === 'compacted') throw new CompactedError(request.revision ?? 0, await this.#floor());
      throw datastoreError(error);
    }
  }

  /** The oldest revision there is: only a watch of an older one tells it. */
  async #floor(): Promise<number> {
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, this.#stop.signal, AbortSignal.timeout(ATTEMPT_MS)]);
    try {
      for await (const { canceled, compactRevision } of this.#client.watch(
        { key: EVERYTHING, startRevision: 1 },
        signal,
      ))
        if (canceled) return compactRevision;
    } catch (error) {
      this.#log.debug('the oldest revision is not known', { error: errorText(error) });
    } finally {
      enough.abort();
    }
    return this.revision;
  }

  /** Calls again what may succeed another time, as long as patience lasts. */
  async #retry<T>(call: (options: EtcdCallOptions) => Promise<T>): Promise<T> {
    const limit = this.#clock.now() + PATIENCE_MS;
    for (;;) {
      try {
        const left = Math.max(RETRY_MS, this.#limit - this.#clock.now());
        return await call({ timeoutMs: Math.min(ATTEMPT_MS, left), signal: this.#stop.signal });
      } catch (error) {
        const isLate = this.#clock.now() >= Math.min(limit, this.#limit);
        if (classify(error) !== 'retry' || this.#stop.signal.aborted || isLate) throw error;
        await sleep(this.#clock, RETRY_MS, this.#stop.signal);
      }
    }
  }

  async #reached(revision: number): Promise<void> {
    if (!(await this.#progress.waitFor(revision, PATIENCE_MS))) {
      throw new DatastoreError('unavailable', `etcd's watch does not come to revision ${revision}`);
    }
  }

  /** Follows all keys for as long as the datastore is open; a watch that breaks goes on where it was. */
  async #watch(opened: () => void): Promise<void> {
    const { signal } = this.#stop;
    const watch = { key: EVERYTHING, rangeEnd: EVERYTHING, prevKv: true, progressNotify: true };
    while (!signal.aborted) {
      try {
        for await (const response of this.#client.watch({ ...watch, startRevision: this.revision + 1 }, signal)) {
          if (response.canceled) throw canceledError(response, this.revision);
          if (response.created) opened();
          this.#take(response.events);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof CompactedError) {
          this.#fail(new DatastoreError('failed', `this server was away for too long: ${error.message}`));
          return;
        }
        const log = error instanceof GrpcError && error.code === 'UNAVAILABLE' ? 'debug' : 'warn';
        this.#log[log]('the watch of etcd broke and begins again', { error: errorText(error) });
      }
      await sleep(this.#clock, RETRY_MS, signal);
    }
  }

  #take(received: readonly EtcdMessage<'Event'>[]): void {
    const events = received.flatMap((event) => eventOf(event) ?? []).filter(({ kv }) => kv.modRevision > this.revision);
    const last = events.at(-1);
    if (last === undefined) return;
    this.#progress.advance(last.kv.modRevision, () => {
      for (const listener of this.#listeners) {
        try {
          listener(events);
        } catch (error) {
          this.#log.error('a subscriber threw', { error: errorText(error) });
        }
      }
    });
  }

  #fail(error: DatastoreError): void {
    this.#closed = error;
    this.#stop.abort();
    this.#progress.fail(error);
    this.#log.error('datastore failed', { error: errorText(error) });
    this.#onFatal(error);
  }
}

function eventOf({ type, kv, prevKv }: EtcdMessage<'Event'>): DatastoreEvent | undefined {
  if (kv === undefined) return undefined;
  if (type === 'PUT') return { type, kv: keyValueOf(kv) };
  const { key, modRevision } = kv;
  const { value = NO_VALUE, createRevision = modRevision } = prevKv ?? {};
  return { type, kv: { key, value, createRevision, modRevision } };
}

function canceledError({ compactRevision, cancelReason }: EtcdMessage<'WatchResponse'>, revision: number): Error {
  if (compactRevision > 0) return new CompactedError(revision, compactRevision);
  return new DatastoreError('unavailable', `etcd ended a watch: ${cancelReason}`);
}

/** The least possible key with `prefix` and above `after`; etcd takes NUL for the first key of all. */
function lowerBound(prefix: string, after: string | undefined): string {
  if (after !== undefined && compareKeys(after, prefix) >= 0) return `${after}\0`;
  return prefix === '' ? EVERYTHING : prefix;
}

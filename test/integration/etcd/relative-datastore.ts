import {
  CompactedError,
  type Datastore,
  type DatastoreEvent,
  type KeyValue,
  type ListOptions,
  type ListResult,
  type WriteResult,
} from '../../../pkg/datastore/datastore.ts';

/** A datastore whose revisions are counted from `base`: what holds for a fresh one can be asked of a used one. */
export class RelativeDatastore implements Datastore {
  readonly #inner: Datastore;
  readonly #base: number;

  constructor(inner: Datastore, base: number) {
    this.#inner = inner;
    this.#base = base;
  }

  get revision(): number {
    return this.#inner.revision - this.#base;
  }

  current(): Promise<void> {
    return this.#inner.current();
  }

  async get(key: string): Promise<KeyValue | undefined> {
    return this.#shown(await this.#inner.get(key));
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    return this.#counted(async () => {
      const at = options.revision === undefined ? {} : { revision: options.revision + this.#base };
      const list = await this.#inner.list(prefix, { ...options, ...at });
      return { ...list, revision: list.revision - this.#base, kvs: list.kvs.map((kv) => this.#relative(kv)) };
    });
  }

  create(key: string, value: Uint8Array): Promise<WriteResult> {
    return this.#result(this.#inner.create(key, value));
  }

  update(key: string, value: Uint8Array, expectRevision: number): Promise<WriteResult> {
    return this.#result(this.#inner.update(key, value, expectRevision + this.#base));
  }

  delete(key: string, expectRevision: number): Promise<WriteResult> {
    return this.#result(this.#inner.delete(key, expectRevision + this.#base));
  }

  subscribe(listener: (events: readonly DatastoreEvent[]) => void): () => void {
    return this.#inner.subscribe((events) => listener(events.map((event) => this.#event(event))));
  }

  since(prefix: string, revision: number, limit: number): Promise<readonly DatastoreEvent[]> {
    return this.#counted(async () => {
      const events = await this.#inner.since(prefix, revision + this.#base, limit);
      return events.map((event) => this.#event(event));
    });
  }

  compact(revision: number): Promise<void> {
    return this.#inner.compact(revision + this.#base);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #counted<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
      throw new CompactedError(error.requested - this.#base, error.floor - this.#base);
    }
  }

  async #result(made: Promise<WriteResult>): Promise<WriteResult> {
    const result = await made;
    if (result.ok) return { ok: true, revision: result.revision - this.#base };
    return { ok: false, current: this.#shown(result.current) };
  }

  #event({ type, kv }: DatastoreEvent): DatastoreEvent {
    return { type, kv: this.#relative(kv) };
  }

  #shown(kv: KeyValue | undefined): KeyValue | undefined {
    return kv && this.#relative(kv);
  }

  #relative({ key, value, createRevision, modRevision }: KeyValue): KeyValue {
    return { key, value, createRevision: createRevision - this.#base, modRevision: modRevision - this.#base };
  }
}

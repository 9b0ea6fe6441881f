import { Counter, type Distribution, Histogram } from '../../base/metrics.ts';
import { type MetricLabels, metricText } from '../../base/metrics-text.ts';
import type {
  Datastore,
  DatastoreEvent,
  KeyValue,
  ListOptions,
  ListResult,
  WriteOptions,
  WriteResult,
} from '../../datastore/datastore.ts';

/** Upstream's buckets of etcd_request_duration_seconds. */
const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

type Operation = 'get' | 'list' | 'create' | 'update' | 'delete';

interface Series {
  readonly labels: MetricLabels;
  readonly total: { value: number };
  readonly duration: Distribution;
}

const ROOT = '/registry/';

/** A datastore whose requests are timed, under the names that upstream gives to its requests to etcd. */
export class ObservedDatastore implements Datastore {
  readonly #datastore: Datastore;
  readonly #sizeBytes: (() => number) | undefined;
  readonly #duration = new Histogram(
    'etcd_request_duration_seconds',
    '[ALPHA] Etcd request latency in seconds for each operation and object type.',
    SECONDS,
  );
  readonly #total = new Counter(
    'etcd_requests_total',
    '[ALPHA] Etcd request counts for each operation and object type.',
  );
  readonly #errors = new Counter(
    'etcd_request_errors_total',
    '[ALPHA] Etcd failed request counts for each operation and object type.',
  );

  readonly #series: Readonly<Record<Operation, Map<string, Series>>> = {
    get: new Map(),
    list: new Map(),
    create: new Map(),
    update: new Map(),
    delete: new Map(),
  };

  /** `sizeBytes`: how much room the data takes; left out where that is not known here. */
  constructor(datastore: Datastore, sizeBytes?: () => number) {
    this.#datastore = datastore;
    this.#sizeBytes = sizeBytes;
  }

  get revision(): number {
    return this.#datastore.revision;
  }

  current(): Promise<void> {
    return this.#datastore.current();
  }

  get(key: string): Promise<KeyValue | undefined> {
    return this.#timed('get', key, this.#datastore.get(key));
  }

  list(prefix: string, options?: ListOptions): Promise<ListResult> {
    return this.#timed('list', prefix, this.#datastore.list(prefix, options));
  }

  create(key: string, value: Uint8Array, options?: WriteOptions): Promise<WriteResult> {
    return this.#timed('create', key, this.#datastore.create(key, value, options));
  }

  update(key: string, value: Uint8Array, expectRevision: number, options?: WriteOptions): Promise<WriteResult> {
    return this.#timed('update', key, this.#datastore.update(key, value, expectRevision, options));
  }

  delete(key: string, expectRevision: number, options?: WriteOptions): Promise<WriteResult> {
    return this.#timed('delete', key, this.#datastore.delete(key, expectRevision, options));
  }

  subscribe(listener: (events: readonly DatastoreEvent[]) => void): () => void {
    return this.#datastore.subscribe(listener);
  }

  since(prefix: string, revision: number, limit: number): Promise<readonly DatastoreEvent[]> {
    return this.#timed('list', prefix, this.#datastore.since(prefix, revision, limit));
  }

  compact(revision: number): Promise<void> {
    return this.#datastore.compact(revision);
  }

  close(): Promise<void> {
    return this.#datastore.close();
  }

  /** Its part of `/metrics`. */
  text(): string {
    const size =
      this.#sizeBytes === undefined
        ? ''
        : metricText(
            'apiserver_storage_size_bytes',
            'gauge',
            '[STABLE] Size of the storage database file physically allocated in bytes.',
            [{ labels: { storage_cluster_id: 'etcd-0' }, value: this.#sizeBytes() }],
          );
    return this.#duration.text() + this.#total.text() + this.#errors.text() + size;
  }

  async #timed<T>(operation: Operation, key: string, work: Promise<T>): Promise<T> {
    const begun = performance.now();
    const series = this.#seriesOf(operation, key);
    series.total.value++;
    try {
      return await work;
    } catch (error) {
      this.#errors.inc(series.labels);
      throw error;
    } finally {
      this.#duration.observeIn(series.duration, (performance.now() - begun) / 1000);
    }
  }

  /** What is counted of one operation on one resource; put together once, not with every request. */
  #seriesOf(operation: Operation, key: string): Series {
    // `/registry/GROUP/RESOURCE/…`
    const resourceAt = key.indexOf('/', ROOT.length) + 1;
    const end = key.indexOf('/', resourceAt);
    const prefix = resourceAt === 0 || end < 0 ? key : key.slice(0, end);
    const known = this.#series[operation].get(prefix);
    if (known !== undefined) return known;
    const [, , group = '', resource = ''] = key.split('/', 4);
    // The core group has no name.
    const labels = { group: group === 'core' ? '' : group, operation, resource };
    const series = { labels, total: this.#total.of(labels), duration: this.#duration.of(labels) };
    this.#series[operation].set(prefix, series);
    return series;
  }
}

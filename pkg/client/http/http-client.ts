import { apiVersionOf, type Input, type KubeObject, type ResourceType } from '../../api/types.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type {
  Client,
  DeleteOptions,
  InformerSelector,
  ListOptions,
  ListResult,
  Patch,
  PatchOptions,
  WriteOptions,
} from '../client.ts';
import type { Informer, OwnedInformer } from '../informer.ts';
import { isVersionGone } from './answer-error.ts';
import type { Credentials } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { HttpInformer } from './http-informer.ts';
import { requestPath } from './request-path.ts';
import { type ApiRequest, Transport } from './transport.ts';

export interface HttpClientOptions {
  /** `https://host:port` of every server there is; it stays with one as long as that answers. */
  readonly servers: readonly string[];
  /** PEM bundle that servers' certificates are checked against. */
  readonly ca: string;
  readonly credentials: Credentials;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** When it aborts, everything is broken off, as `close` does. */
  readonly signal?: AbortSignal;
  /** Numbers in [0, 1); Math.random unless given. */
  readonly random?: () => number;
  /** How long a request may take, in ms; 30 s unless given. */
  readonly requestTimeoutMs?: number;
  /** The longest silence of a watch, in ms; 150 s unless given (bookmarks come every minute). */
  readonly watchStallMs?: number;
  /** Makes changing an informer's object throw; for tests. */
  readonly freeze?: boolean;
}

/** A Client of another machine. */
export interface HttpClient extends Client {
  /** An informer for whoever asks alone, who has to stop it. */
  openInformer<T extends KubeObject>(type: ResourceType<T>, selector?: InformerSelector): OwnedInformer<T>;
  /** From now on requests are sent with `credentials`, on new connections; requests under way are finished. */
  setCredentials(credentials: Credentials): void;
  /** `https://host:port` of every server there is by now; what is connected stays so. */
  setServers(servers: readonly string[]): void;
  /** Ends all connections and informers; requests under way are rejected. */
  close(): void;
}

const REQUEST_TIMEOUT_MS = 30_000;
const WATCH_STALL_MS = 150_000;
const LIST_PAGE = 500;
const FIELD_MANAGER = 'kedge';
const JSON_TYPE = 'application/json';
const PATCH_TYPES: Readonly<Record<Patch['type'], string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  // JSON is YAML.
  apply: 'application/apply-patch+yaml',
};

/** The Client of agents: the API over HTTP/2 and TLS, with informers that survive the loss of a server. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return new RemoteClient(options);
}

interface ListDocument<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[] | null;
}

class RemoteClient implements HttpClient {
  readonly #options: HttpClientOptions;
  readonly #abort = new AbortController();
  readonly #pool: ConnectionPool;
  readonly #transport: Transport;
  readonly #informers = new Map<string, OwnedInformer<KubeObject>>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const { ca, credentials, clock, log, userAgent } = options;
    const { signal } = this.#abort;
    options.signal?.addEventListener('abort', () => this.close(), { once: true });
    if (options.signal?.aborted === true) this.close();
    const servers = options.servers.map((server) => new URL(server));
    this.#pool = new ConnectionPool({ servers, ca, credentials, clock, log: log.child('client'), signal });
    const requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#transport = new Transport({ pool: this.#pool, userAgent, clock, requestTimeoutMs, signal });
  }

  async get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<T> {
    return (await this.#send('GET', requestPath(type, { namespace, name }))) as T;
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    try {
      return await this.#list(type, options, LIST_PAGE);
    } catch (error) {
      if (!isVersionGone(error)) throw error;
      // The version of the first page is gone before the last page was read.
      return await this.#list(type, options, undefined);
    }
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: Input<T>, options: WriteOptions = {}): Promise<T> {
    const { namespace } = metadataOf(object);
    const path = requestPath(type, { namespace }, { fieldManager: options.fieldManager ?? FIELD_MANAGER });
    return (await this.#send('POST', path, typed(type, object))) as T;
  }

  async update<T extends KubeObject>(type: ResourceType<T>, object: Input<T>, options: WriteOptions = {}): Promise<T> {
    const { name = '', namespace } = metadataOf(object);
    const { subresource, fieldManager = FIELD_MANAGER } = options;
    const path = requestPath(type, { namespace, name, subresource }, { fieldManager });
    return (await this.#send('PUT', path, typed(type, object))) as T;
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    patch: Patch,
    options: PatchOptions = {},
  ): Promise<T> {
    const { namespace, subresource, fieldManager = FIELD_MANAGER } = options;
    const force = patch.type === 'apply' ? (options.force ?? false) : undefined;
    const request: ApiRequest = {
      method: 'PATCH',
      path: requestPath(type, { namespace, name, subresource }, { fieldManager, force }),
      body: { contentType: PATCH_TYPES[patch.type], value: patch.type === 'json' ? patch.operations : patch.body },
      // A JSON patch may add to a list each time it is applied.
      idempotent: patch.type !== 'json',
    };
    return (await this.#transport.send(request)) as T;
  }

  async delete<T extends KubeObject>(type: ResourceType<T>, name: string, options: DeleteOptions = {}): Promise<void> {
    await this.#send('DELETE', requestPath(type, { namespace: options.namespace, name }), deleteBody(options));
  }

  async deleteCollection<T extends KubeObject>(
    type: ResourceType<T>,
    options: DeleteOptions & ListOptions = {},
  ): Promise<void> {
    const { labelSelector, fieldSelector } = options;
    for (const namespace of await this.#namespacesOf(type, options)) {
      const path = requestPath(type, { namespace }, { labelSelector, fieldSelector });
      await this.#send('DELETE', path, deleteBody(options));
    }
  }

  async createSubresource<R>(
    type: ResourceType,
    name: string,
    subresource: string,
    body: object,
    options: { readonly namespace?: string } = {},
  ): Promise<R> {
    const path = requestPath(type, { namespace: options.namespace, name, subresource });
    return (await this.#send('POST', path, body)) as R;
  }

  informer<T extends KubeObject>(type: ResourceType<T>, selector: InformerSelector = {}): Informer<T> {
    const { labelSelector, fieldSelector, namespace } = selector;
    const key = requestPath(type, { namespace }, { labelSelector, fieldSelector });
    const shared = this.#informers.get(key) ?? this.openInformer<KubeObject>(type, selector);
    this.#informers.set(key, shared);
    return shared as OwnedInformer<KubeObject> as unknown as Informer<T>;
  }

  openInformer<T extends KubeObject>(type: ResourceType<T>, selector: InformerSelector = {}): OwnedInformer<T> {
    const { clock, log } = this.#options;
    return new HttpInformer<T>({
      type,
      selector,
      transport: {
        stream: (path, onData, signal) => this.#transport.stream(path, onData, signal),
        list: (listed, options) => this.list(listed, options),
        onConnect: (listener) => this.#pool.onConnect(listener),
      },
      clock,
      log,
      random: this.#options.random ?? Math.random,
      stallMs: this.#options.watchStallMs ?? WATCH_STALL_MS,
      freeze: this.#options.freeze ?? false,
      signal: this.#abort.signal,
    });
  }

  setCredentials(credentials: Credentials): void {
    this.#pool.setCredentials(credentials);
  }

  setServers(servers: readonly string[]): void {
    this.#pool.setServers(servers.map((server) => new URL(server)));
  }

  close(): void {
    this.#abort.abort();
  }

  /** Everything is idempotent but creating. */
  #send(method: ApiRequest['method'], path: string, value?: unknown): Promise<unknown> {
    const body = value === undefined ? {} : { body: { contentType: JSON_TYPE, value } };
    return this.#transport.send({ method, path, ...body, idempotent: method !== 'POST' });
  }

  async #list<T extends KubeObject>(
    type: ResourceType<T>,
    options: ListOptions,
    limit: number | undefined,
  ): Promise<ListResult<T>> {
    const { namespace, labelSelector, fieldSelector } = options;
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const path = requestPath(type, { namespace }, { labelSelector, fieldSelector, limit, continue: next });
      const page = (await this.#send('GET', path)) as ListDocument<T>;
      // Items of a list do not say what they are: the list does.
      for (const item of page.items ?? []) items.push(typed(type, item));
      next = page.metadata.continue;
      if (next === undefined || next === '') {
        return { items, resourceVersion: page.metadata.resourceVersion ?? '' };
      }
    }
  }

  /** A collection is deleted namespace by namespace: that is how it is served. */
  async #namespacesOf(type: ResourceType, options: ListOptions): Promise<Iterable<string | undefined>> {
    if (!type.namespaced || options.namespace !== undefined) return [options.namespace];
    const { items } = await this.list(type, options);
    return new Set(items.map(({ metadata }) => metadata.namespace));
  }
}

function metadataOf(object: unknown): { readonly name?: string; readonly namespace?: string } {
  return (object as { metadata?: { name?: string; namespace?: string } }).metadata ?? {};
}

/** `object` with kind and apiVersion, which a client may leave out and the wire may not. */
function typed<T extends object>(type: ResourceType, object: T): T {
  return { kind: type.kind, apiVersion: apiVersionOf(type), ...object };
}

function deleteBody(options: DeleteOptions): object {
  const { gracePeriodSeconds, propagationPolicy, preconditions } = options;
  return { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions };
}

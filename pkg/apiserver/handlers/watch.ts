import { apiVersionOf } from '../../api/types.ts';
import { StatusError } from '../../apimachinery/status-error.ts';
import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { type Exchange, warningHeader } from '../http/exchange.ts';
import { JSON_TYPE, negotiate } from '../http/negotiate.ts';
import { objectBytes, objectOf, partialMetadata, type RowObject, tableOf } from '../http/representation.ts';
import { parseListOptions } from '../http/request-options.ts';
import { type ResourceOperations, storageType } from '../operations/resource-operations.ts';
import { Selection } from '../storage/selection.ts';
import { resourcePrefix } from '../storage/store.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { startWatch } from '../storage/watch.ts';
import { checkVersion, rowObject } from './read.ts';

/** What may wait unsent for one watcher; a slower one is cut off and has to come back with its last version. */
const WATCHER_LIMIT_BYTES = 8 * 1024 * 1024;
const BOOKMARK_INTERVAL_MS = 60_000;
/** Without timeoutSeconds a watch ends after 30 to 60 minutes, spread so that clients do not return together. */
const SHORTEST_WATCH_MS = 30 * 60_000;

type Encode = (type: string, stored: StoredObject) => Buffer;

/** A watch: one JSON document a line, until the client leaves or the time is up. */
export async function handleWatch(
  exchange: Exchange,
  descriptor: Descriptor,
  operations: ResourceOperations,
  clock: Clock,
  log: Logger,
): Promise<void> {
  const options = parseListOptions(exchange.query, true);
  const { info, response } = exchange;
  const representation = negotiate(exchange.request.headers.accept);
  const byName = info.watchPrefix && info.name !== '' ? `metadata.name=${info.name}` : undefined;
  const selection = Selection.parse(descriptor, options.labelSelector, byName ?? options.fieldSelector);
  const version = checkVersion(options.resourceVersion, operations);
  const initial = options.sendInitialEvents ?? (version === undefined || version === 0);
  const encode = encoderFor(
    descriptor,
    representation.as,
    representation.as === 'Table' ? rowObject(exchange) : 'None',
  );
  const type = storageType(descriptor);
  const base = resourcePrefix(type);
  const prefix = type.namespaced && info.namespace !== '' ? `${base}${info.namespace}/` : base;

  const begin = (): void => {
    if (response.headersSent || response.destroyed) return;
    response.statusCode = 200;
    response.setHeader('content-type', JSON_TYPE);
    response.setHeader('cache-control', 'no-cache, private');
    if (exchange.warnings.length > 0) response.setHeader('warning', exchange.warnings.map(warningHeader));
    // Clients wait for the head: without this they would see nothing before the first event.
    response.flushHeaders();
  };
  const end = new AbortController();
  const send = (line: Buffer): void => {
    if (response.destroyed || end.signal.aborted) return;
    response.write(line);
    if (unsentBytes(response) > WATCHER_LIMIT_BYTES) {
      log.warn('a watcher is too slow and is cut off', { path: info.path, user: exchange.user.name });
      end.abort();
    }
  };

  const bookmark = (initialEventsEnd: boolean): void =>
    send(bookmarkLine(descriptor, operations.store.revision, initialEventsEnd));
  begin();
  let unsubscribe: () => void;
  try {
    unsubscribe = await startWatch(
      operations.store,
      operations.store.cache(type),
      { prefix, selection, since: initial ? undefined : (version ?? operations.store.revision) },
      (event) => send(encode(event.type, event.stored)),
      () => {
        if (options.sendInitialEvents === true && options.allowWatchBookmarks) bookmark(true);
      },
    );
  } catch (error) {
    if (!(error instanceof StatusError)) log.error('watch failed', { path: info.path, error: errorText(error) });
    const status = error instanceof StatusError ? error.status : undefined;
    if (status !== undefined) send(Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`));
    response.end();
    return;
  }
  const timeout =
    options.timeoutSeconds === undefined ? SHORTEST_WATCH_MS * (1 + Math.random()) : options.timeoutSeconds * 1000;
  const cancelTimeout = clock.setTimeout(() => end.abort(), timeout);
  let cancelBookmark = (): void => {};
  const nextBookmark = (): void => {
    cancelBookmark = clock.setTimeout(() => {
      bookmark(false);
      nextBookmark();
    }, BOOKMARK_INTERVAL_MS);
  };
  if (options.allowWatchBookmarks) nextBookmark();
  await new Promise<void>((resolve) => {
    const done = (): void => resolve();
    end.signal.addEventListener('abort', done, { once: true });
    if (exchange.signal.aborted) done();
    else exchange.signal.addEventListener('abort', done, { once: true });
  });
  unsubscribe();
  cancelTimeout();
  cancelBookmark();
  if (response.destroyed) return;
  if (unsentBytes(response) > WATCHER_LIMIT_BYTES) response.destroy();
  else response.end();
}

function unsentBytes(response: Exchange['response']): number {
  const { stream } = response as unknown as { stream?: { writableLength: number } };
  return stream?.writableLength ?? response.writableLength;
}

function encoderFor(
  descriptor: Descriptor,
  as: 'Table' | 'PartialObjectMetadata' | undefined,
  rows: RowObject,
): Encode {
  if (as === 'PartialObjectMetadata') {
    return (type, stored) => line({ type, object: partialMetadata(objectOf(descriptor, stored)) });
  }
  if (as === 'Table') {
    let first = true;
    return (type, stored) => {
      const object = objectOf(descriptor, stored);
      const metadata = { resourceVersion: object.metadata.resourceVersion };
      const table = tableOf(descriptor, [object], {
        metadata,
        includeObject: rows,
        withoutColumns: !first,
        now: Date.now(),
      });
      first = false;
      return line({ type, object: table });
    };
  }
  return (type, stored) => eventLine(descriptor, type, stored);
}

let latest: { stored: StoredObject; type: string; bytes: Buffer } | undefined;

/** The line of an event; all watchers get an event one after the other, so one remembered line serves them all. */
function eventLine(descriptor: Descriptor, type: string, stored: StoredObject): Buffer {
  const shared = descriptor.storedAs === undefined;
  if (shared && latest?.stored === stored && latest.type === type) return latest.bytes;
  const bytes = Buffer.concat([Buffer.from(`{"type":"${type}","object":`), objectBytes(descriptor, stored), LINE_END]);
  if (shared) latest = { stored, type, bytes };
  return bytes;
}

const LINE_END = Buffer.from('}\n');

function line(document: object): Buffer {
  return Buffer.from(`${JSON.stringify(document)}\n`);
}

function bookmarkLine(descriptor: Descriptor, revision: number, initialEventsEnd: boolean): Buffer {
  const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  return line({
    type: 'BOOKMARK',
    object: {
      kind: descriptor.type.kind,
      apiVersion: apiVersionOf(descriptor.type),
      metadata: { resourceVersion: String(revision), ...annotations },
    },
  });
}

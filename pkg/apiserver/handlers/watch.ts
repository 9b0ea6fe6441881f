import { StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { ApiCore } from '../api-core.ts';
import type { Exchange } from '../http/exchange.ts';
import { negotiateStream } from '../http/negotiate.ts';
import { parseListOptions } from '../http/request-options.ts';
import { warningHeaders } from '../http/warnings.ts';
import { storageType } from '../operations/resource-operations.ts';
import { checkVersion, parseVersion } from '../storage/list.ts';
import { Selection } from '../storage/selection.ts';
import { resourcePrefix } from '../storage/store.ts';
import { startWatch } from '../storage/watch.ts';
import { rowObject } from './read.ts';
import { watchEncoding } from './watch-encoding.ts';
import { WatchWriter } from './watch-writer.ts';

/** What may wait unsent for one watcher; a slower one is cut off and has to come back with its last version. */
const WATCHER_LIMIT_BYTES = 8 * 1024 * 1024;
const BOOKMARK_INTERVAL_MS = 60_000;
/** How long before the end of a watch the last bookmark is sent. */
const LAST_BOOKMARK_MS = 2000;
/** Without timeoutSeconds (or with 0) a watch ends after 30 to 60 minutes, spread so that clients do not return together. */
const SHORTEST_WATCH_MS = 30 * 60_000;

/** A watch: one event after the other, until the client leaves or the time is up. */
export async function handleWatch(
  exchange: Exchange,
  descriptor: Descriptor,
  { operations, registry, clock, watchMetrics }: ApiCore,
  log: Logger,
): Promise<void> {
  const options = parseListOptions(exchange.query, true);
  const { info, response } = exchange;
  const representation = negotiateStream(exchange.request.headers.accept, descriptor.custom);
  const byName = info.watchPrefix && info.name !== '' ? `metadata.name=${info.name}` : undefined;
  const selection = Selection.parse(descriptor, options.labelSelector, byName ?? options.fieldSelector);
  const version = parseVersion(options.resourceVersion);
  const initial = options.sendInitialEvents ?? (version === undefined || version === 0);
  const encoding = watchEncoding(
    descriptor,
    representation,
    representation.as?.kind === 'Table' ? rowObject(exchange) : 'None',
  );
  const type = storageType(descriptor);
  const base = resourcePrefix(type);
  const prefix = type.namespaced && info.namespace !== '' ? `${base}${info.namespace}/` : base;

  const begin = (): void => {
    if (response.headersSent || response.destroyed) return;
    response.statusCode = 200;
    response.setHeader('content-type', encoding.contentType);
    response.setHeader('cache-control', 'no-cache, private');
    if (exchange.warnings.length > 0) response.setHeader('warning', warningHeaders(exchange.warnings));
    // Clients wait for the head: without this they would see nothing before the first event.
    response.flushHeaders();
    exchange.audit?.started(200);
  };
  const sent = watchMetrics.observer(descriptor.type);
  const end = new AbortController();
  let tooSlow = false;
  const writer = new WatchWriter(response, WATCHER_LIMIT_BYTES, () => {
    log.warn('a watcher is too slow and is cut off', { path: info.path, user: exchange.user.name });
    tooSlow = true;
    watchMetrics.terminated(descriptor.type);
    end.abort();
  });
  const write = (bytes: Buffer): void => writer.write({ size: bytes.length, encode: () => bytes });
  const bookmark = (initialEventsEnd: boolean): void =>
    write(encoding.bookmark(operations.store.revision, initialEventsEnd));
  begin();
  let unsubscribe: () => void;
  const since = initial ? undefined : (version ?? operations.store.revision);
  try {
    const { historyBegins = 0 } = descriptor;
    // The present state is told only by who has reached what the client has seen.
    if (initial) checkVersion(options.resourceVersion, operations.store);
    if (since !== undefined && since < historyBegins) throw statusErrors.tooOldResourceVersion(since, historyBegins);
    unsubscribe = await startWatch(
      operations.store,
      operations.store.cache(type),
      { prefix, selection, since },
      ({ type: change, stored }) =>
        writer.write({
          size: stored.bytes.length,
          encode: () => {
            const bytes = encoding.event(change, stored);
            sent(bytes.length);
            return bytes;
          },
        }),
      () => {
        if (options.sendInitialEvents === true && options.allowWatchBookmarks) bookmark(true);
        writer.startCounting();
      },
    );
  } catch (error) {
    if (!(error instanceof StatusError)) log.error('watch failed', { path: info.path, error: errorText(error) });
    const status = error instanceof StatusError ? error.status : undefined;
    if (status !== undefined) write(encoding.error(status));
    response.end();
    return;
  }
  const timeout = options.timeoutSeconds ? options.timeoutSeconds * 1000 : SHORTEST_WATCH_MS * (1 + Math.random());
  const cancelTimeout = clock.setTimeout(() => end.abort(), timeout);
  const ends = clock.now() + timeout;
  let cancelBookmark = (): void => {};
  const nextBookmark = (): void => {
    // The last one comes shortly before the end, so that the client goes on from there.
    const left = ends - LAST_BOOKMARK_MS - clock.now();
    if (left <= 0) return;
    cancelBookmark = clock.setTimeout(
      () => {
        bookmark(false);
        nextBookmark();
      },
      Math.min(BOOKMARK_INTERVAL_MS, left),
    );
  };
  if (options.allowWatchBookmarks) nextBookmark();
  // What is watched may cease to be, or become something else: the client has to look anew.
  const { group, version: ofGroup, resource } = descriptor.type;
  const forget = registry.subscribe(() => {
    if (registry.find(group, ofGroup, resource) !== descriptor) end.abort();
  });
  await new Promise<void>((resolve) => {
    const done = (): void => resolve();
    end.signal.addEventListener('abort', done, { once: true });
    if (exchange.signal.aborted) done();
    else exchange.signal.addEventListener('abort', done, { once: true });
  });
  forget();
  unsubscribe();
  cancelTimeout();
  cancelBookmark();
  writer.close();
  if (response.destroyed) return;
  if (tooSlow) response.destroy();
  else response.end();
}

import { watchEncoding } from '../../../pkg/apiserver/handlers/watch-encoding.ts';
import { WatchWriter } from '../../../pkg/apiserver/handlers/watch-writer.ts';
import type { Exchange } from '../../../pkg/apiserver/http/exchange.ts';
import { Selection } from '../../../pkg/apiserver/storage/selection.ts';
import { Store } from '../../../pkg/apiserver/storage/store.ts';
import { startWatch } from '../../../pkg/apiserver/storage/watch.ts';
import type { Datastore, DatastoreEvent } from '../../../pkg/datastore/datastore.ts';
import { configMap } from '../../../pkg/registry/core/config-map.ts';

const EVENTS = 5000;
const PREFIX = '/registry/core/configmaps/';

/** Takes all that is written and does nothing with it. */
const SINK = { destroyed: false, write: () => true } as unknown as Exchange['response'];

/**
 * Processor time in ms that one event costs beyond its socket writes when `watchers` follow it: from the datastore's
 * news through the cache and the encoding to where the bytes would be written. In this process.
 */
export async function fanOutCost(watchers: number, value: Uint8Array): Promise<number> {
  let publish: (events: readonly DatastoreEvent[]) => void = () => {};
  const datastore = {
    revision: 0,
    list: async () => ({ kvs: [], revision: 0, more: false, count: 0 }),
    subscribe(listener: typeof publish) {
      publish = listener;
      return () => {};
    },
  } as unknown as Datastore;
  const store = await Store.open(datastore);
  const cache = store.cache(configMap.type);
  const encoding = watchEncoding(configMap, { mediaType: 'application/json', as: undefined }, 'None');
  const selection = Selection.parse(configMap, undefined, undefined);
  for (let n = 0; n < watchers; n++) {
    const writer = new WatchWriter(SINK, Number.POSITIVE_INFINITY, () => {});
    await startWatch(store, cache, { prefix: PREFIX, selection, since: 0 }, ({ type, stored }) =>
      writer.write({ size: stored.bytes.length, encode: () => encoding.event(type, stored) }),
    );
  }
  const round = (from: number): void => {
    for (let n = from; n < from + EVENTS; n++) {
      const kv = { key: `${PREFIX}n/c${n % 100}`, value, createRevision: n, modRevision: n };
      publish([{ type: 'PUT', kv }]);
    }
  };
  round(1);
  const begun = process.cpuUsage();
  round(EVENTS + 1);
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1000 / EVENTS;
}

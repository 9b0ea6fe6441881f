import type { ResourceType } from '../../api/types.ts';
import { Counter, Histogram } from '../../base/metrics.ts';

/** Upstream's buckets of apiserver_watch_events_sizes, bytes. */
const BYTES = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];

/** What is told of watches in `/metrics`, under upstream's names. */
export class WatchMetrics {
  readonly #events = new Counter('apiserver_watch_events_total', '[ALPHA] Number of events sent in watch clients');
  readonly #sizes = new Histogram(
    'apiserver_watch_events_sizes',
    '[ALPHA] Watch event size distribution in bytes',
    BYTES,
  );
  readonly #terminated = new Counter(
    'apiserver_terminated_watchers_total',
    '[ALPHA] Counter of watchers closed due to unresponsiveness broken by resource type.',
  );

  /** Counts the events of one watch; called once for each with its size in bytes. */
  observer({ group, version, resource }: ResourceType): (bytes: number) => void {
    const labels = { group, resource, version };
    return (bytes) => {
      this.#events.inc(labels);
      this.#sizes.observe(labels, bytes);
    };
  }

  /** A watcher was cut off because it was too slow. */
  terminated({ group, resource }: ResourceType): void {
    this.#terminated.inc({ group, resource });
  }

  text(): string {
    return this.#events.text() + this.#sizes.text() + this.#terminated.text();
  }
}

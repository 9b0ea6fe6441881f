import type { Event } from '../../api/generated/core-v1.ts';
import { events } from '../../api/resources.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { type Cancel, type Clock, sleep } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';

/** How long an Event lives after it was last written (upstream: --event-ttl). */
const EVENT_TTL_MS = 60 * 60 * 1000;
/** Expired Events are removed together: one wake-up, one commit. */
const BATCH_MS = 60 * 1000;

/** Deletes Events an hour after their last write, as etcd's leases do for upstream. Sleeps while there are none. */
export class EventExpiry {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Keys in the order in which they expire: a Map keeps insertion order, and a renewed Event goes to the end. */
  readonly #due = new Map<string, { readonly event: Event; readonly at: number }>();
  readonly #stopped = new AbortController();
  #cancel: Cancel | undefined;
  #unsubscribe: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(client: Client, clock: Clock, log: Logger) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  async start(): Promise<void> {
    const informer = this.#client.informer(events);
    await informer.synced();
    const now = this.#clock.now();
    const old = [...informer.list()].sort((a, b) => lastWrite(a) - lastWrite(b));
    for (const event of old) this.#set(event, Math.min(lastWrite(event), now) + EVENT_TTL_MS);
    let replaying = true;
    this.#unsubscribe = informer.subscribe(({ type, object }) => {
      if (replaying) return;
      this.#due.delete(object.metadata.uid);
      if (type !== 'deleted') this.#set(object, this.#clock.now() + EVENT_TTL_MS);
      this.#schedule();
    });
    replaying = false;
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#unsubscribe();
    this.#cancel?.();
    await this.#running;
  }

  #set(event: Event, at: number): void {
    this.#due.set(event.metadata.uid, { event, at });
  }

  #schedule(): void {
    const first = this.#due.values().next().value;
    if (this.#cancel !== undefined || first === undefined || this.#stopped.signal.aborted) return;
    this.#cancel = this.#clock.setTimeout(
      () => {
        this.#running = this.#expire().finally(() => {
          this.#cancel = undefined;
          this.#schedule();
        });
      },
      first.at - this.#clock.now() + BATCH_MS,
    );
  }

  async #expire(): Promise<void> {
    const now = this.#clock.now();
    for (const [uid, { event, at }] of this.#due) {
      if (at > now || this.#stopped.signal.aborted) return;
      const { name, namespace, resourceVersion } = event.metadata;
      try {
        await this.#client.delete(events, name, {
          ...(namespace === undefined ? {} : { namespace }),
          preconditions: { uid, resourceVersion },
        });
      } catch (error) {
        // Gone, or written again meanwhile and then due later.
        if (!isStatusReason(error, 'NotFound') && !isStatusReason(error, 'Conflict')) {
          this.#log.warn('cannot remove an expired event', { event: name, error: errorText(error) });
          await sleep(this.#clock, BATCH_MS, this.#stopped.signal);
          return;
        }
      }
      this.#due.delete(uid);
    }
  }
}

function lastWrite({ metadata, lastTimestamp, eventTime, series }: Event): number {
  const times = [series?.lastObservedTime, lastTimestamp, eventTime, metadata.creationTimestamp];
  return Math.max(...times.map((time) => (time ? Date.parse(time) : 0)));
}

/**
 * What keeps events from flooding the API, as client-go's EventCorrelator does: a spam filter per object, aggregation
 * of events that differ only in their message, and counting of equal ones. Pure but for its memory, which is bounded.
 */
import type { ObjectRef } from '../apimachinery/object-reference.ts';

export type EventType = 'Normal' | 'Warning';

/** One thing that happened to an object. */
export interface Occurrence {
  readonly about: ObjectRef;
  readonly type: EventType;
  /** Short, CamelCase: `FailedMount`. */
  readonly reason: string;
  readonly message: string;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
}

/** What to write: a new Event, or a new count on the one written before under `name`. */
export interface Correlated {
  readonly key: string;
  readonly message: string;
  readonly count: number;
  readonly firstAt: number;
  /** The name of the Event that counts these; undefined when it is still to be created. */
  readonly name: string | undefined;
}

const MOST_ENTRIES = 4096;
/** Events that differ only in their message within this time of each other count as similar. */
const SIMILAR_WITHIN_MS = 600_000;
const MOST_SIMILAR = 10;
const SPAM_BURST = 25;
const SPAM_REFILL_MS = 300_000;

/** A map that forgets what was used least recently beyond MOST_ENTRIES. */
class RecentMap<T> {
  readonly #entries = new Map<string, T>();

  get(key: string): T | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= MOST_ENTRIES) return;
    const oldest = this.#entries.keys().next().value;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

function objectKey(about: ObjectRef): string {
  return [about.kind, about.namespace, about.name, about.uid, about.apiVersion].join('\n');
}

/** Decides for each occurrence whether and how it is written. */
export class EventCorrelator {
  readonly #buckets = new RecentMap<{ tokens: number; at: number }>();
  readonly #similar = new RecentMap<{ messages: Set<string>; at: number }>();
  readonly #counted = new RecentMap<{ name: string | undefined; count: number; firstAt: number }>();

  /** How to write `event`; undefined when its object has had too many events lately. */
  correlate(event: Occurrence): Correlated | undefined {
    if (!this.#spend(objectKey(event.about), event.at)) return undefined;
    const similarKey = [objectKey(event.about), event.about.fieldPath, event.type, event.reason].join('\n');
    const similar = this.#similar.get(similarKey);
    const messages =
      similar === undefined || event.at - similar.at > SIMILAR_WITHIN_MS ? new Set<string>() : similar.messages;
    const aggregated = !messages.has(event.message) && messages.size >= MOST_SIMILAR - 1;
    if (!aggregated) messages.add(event.message);
    this.#similar.set(similarKey, { messages, at: event.at });

    const message = aggregated ? `(combined from similar events): ${event.message}` : event.message;
    const key = aggregated ? similarKey : `${similarKey}\n${event.message}`;
    const last = this.#counted.get(key);
    const next = { name: last?.name, count: (last?.count ?? 0) + 1, firstAt: last?.firstAt ?? event.at };
    this.#counted.set(key, next);
    return { key, message, ...next };
  }

  /** Remembers under which name the Event of `key` was written. */
  written(key: string, name: string): void {
    const entry = this.#counted.get(key);
    if (entry !== undefined) this.#counted.set(key, { ...entry, name });
  }

  /** Starts counting anew: the Event of `key` is gone (events expire) or could not be written. */
  forget(key: string): void {
    this.#counted.delete(key);
  }

  #spend(key: string, at: number): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: SPAM_BURST, at };
    const tokens = Math.min(SPAM_BURST, bucket.tokens + (at - bucket.at) / SPAM_REFILL_MS);
    const enough = tokens >= 1;
    this.#buckets.set(key, { tokens: enough ? tokens - 1 : tokens, at });
    return enough;
  }
}

/** Recording of core/v1 Events: what happened to an object and why, for `kubectl describe` and `kubectl events`. */
import { events } from '../api/resources.ts';
import type { ObjectRef } from '../apimachinery/object-reference.ts';
import { isStatusReason, StatusError } from '../apimachinery/status-error.ts';
import { formatTime } from '../apimachinery/time.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Client } from './client.ts';
import { type Correlated, EventCorrelator, type EventType, type Occurrence } from './event-correlator.ts';

/** Tells of events; never fails and never waits: writing happens behind, one at a time. */
export interface EventRecorder {
  event(about: ObjectRef, type: EventType, reason: string, message: string): void;
}

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Who tells: `kubelet`, `deployment-controller`, `default-scheduler`. */
  readonly component: string;
  /** The node, for components of a node. */
  readonly host?: string;
  /** When it aborts, what is not written yet is dropped. */
  readonly signal: AbortSignal;
}

const MOST_WAITING = 1000;
const MOST_TRIES = 12;
const RETRY_MS = 10_000;

/** An EventRecorder writing through `options.client`, with client-go's correlation and retry rules. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const correlator = new EventCorrelator();
  const waiting: Occurrence[] = [];
  let draining = false;
  /** Makes the names of events of one millisecond differ. */
  let serial = 0;

  async function create(event: Occurrence, what: Correlated): Promise<void> {
    serial = (serial + 1) % 1_000_000;
    const stamp = (BigInt(event.at) * 1_000_000n + BigInt(serial)).toString(16);
    const host = options.host ?? '';
    const created = await options.client.create(events, {
      metadata: { name: `${event.about.name}.${stamp}`, namespace: event.about.namespace ?? 'default' },
      involvedObject: { ...event.about },
      reason: event.reason,
      message: what.message,
      type: event.type,
      count: what.count,
      firstTimestamp: formatTime(what.firstAt),
      lastTimestamp: formatTime(event.at),
      source: { component: options.component, ...(host === '' ? {} : { host }) },
      reportingComponent: options.component,
      reportingInstance: host,
    });
    correlator.written(what.key, created.metadata.name);
  }

  async function write(event: Occurrence, what: Correlated): Promise<void> {
    if (what.name === undefined) {
      await create(event, what);
      return;
    }
    const body = { message: what.message, count: what.count, lastTimestamp: formatTime(event.at) };
    const namespace = event.about.namespace ?? 'default';
    try {
      await options.client.patch(events, what.name, { type: 'strategic', body }, { namespace });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
      await create(event, what);
    }
  }

  async function deliver(event: Occurrence, what: Correlated): Promise<void> {
    for (let tries = 1; !options.signal.aborted; tries++) {
      try {
        await write(event, what);
        return;
      } catch (error) {
        // The server has judged this event (its namespace is going, say): trying again would not change that.
        if (error instanceof StatusError || tries === MOST_TRIES) {
          correlator.forget(what.key);
          options.log.debug('event not recorded', {
            event: `${event.reason} ${event.about.name}`,
            error: errorText(error),
          });
          return;
        }
        await sleep(options.clock, RETRY_MS, options.signal);
      }
    }
  }

  async function drain(): Promise<void> {
    draining = true;
    for (let event = waiting.shift(); event !== undefined && !options.signal.aborted; event = waiting.shift()) {
      const what = correlator.correlate(event);
      if (what !== undefined) await deliver(event, what);
    }
    draining = false;
  }

  return {
    event(about, type, reason, message) {
      if (options.signal.aborted) return;
      if (waiting.length >= MOST_WAITING) {
        options.log.warn('too many events waiting, dropping one', { reason, object: about.name });
        return;
      }
      waiting.push({ about, type, reason, message, at: options.clock.now() });
      if (!draining) void drain();
    },
  };
}

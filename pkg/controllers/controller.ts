/** The skeleton every controller shares: informers feed keys into a work queue, workers reconcile one key at a time. */
import type { KubeObject, ResourceType } from '../api/types.ts';
import { apiVersionOf } from '../api/types.ts';
import { controllerOf, keyOf, objectKey } from '../apimachinery/object-meta.ts';
import { isNamespaceTerminating, isStatusReason } from '../apimachinery/status-error.ts';
import type { Clock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/events.ts';
import type { Informer, InformerEvent } from '../client/informer.ts';
import { WorkQueue } from '../client/work-queue.ts';

/** What every controller is given. */
export interface ControllerContext {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: EventRecorder;
}

/** Where a controller's handlers put the keys to reconcile. */
export interface KeyQueue {
  add(key: string): void;
  /** Adds `key` after `ms` milliseconds. */
  addAfter(key: string, ms: number): void;
}

/** A subscription that turns events into keys; made by `watch`. */
export interface Watch {
  synced(): Promise<void>;
  /** Begins to feed `queue`; returns the unsubscriber. */
  start(queue: KeyQueue): () => void;
}

/** What a controller is made of; everything else is shared. */
export interface ControllerSpec {
  /** As upstream names it: `deployment-controller`. */
  readonly name: string;
  /** How many keys are reconciled at a time; one key never twice at a time. */
  readonly workers: number;
  readonly watches: readonly Watch[];
  /**
   * Brings what is named by `key` closer to what it should be. A rejection is logged and retried with back-off; a
   * number asks to be called again after that many milliseconds.
   */
  reconcile(key: string): Promise<number | undefined>;
}

/** Watches `informer`; `handle` adds the keys an event concerns. */
export function watch<T extends KubeObject>(
  informer: Informer<T>,
  handle: (event: InformerEvent<T>, queue: KeyQueue) => void,
): Watch {
  return {
    synced: () => informer.synced(),
    start: (queue) => informer.subscribe((event) => handle(event, queue)),
  };
}

/** Watches `informer` for the objects a controller reconciles themselves. */
export function watchOwn<T extends KubeObject>(informer: Informer<T>): Watch {
  return watch(informer, (event, queue) => queue.add(objectKey(event.object)));
}

/** The key of the object of `type` that controls `object`, if one does. */
export function controllerKey(object: KubeObject, type: ResourceType): string | undefined {
  const owner = controllerOf(object);
  if (owner === undefined || owner.kind !== type.kind || owner.apiVersion !== apiVersionOf(type)) return undefined;
  return keyOf(object.metadata.namespace, owner.name);
}

/** Runs `spec`: starts its watches, waits for their first lists, then works the queue until stopped. */
export function createController(spec: ControllerSpec, context: Pick<ControllerContext, 'clock' | 'log'>): Component {
  const log = context.log.child(spec.name);
  const queue = new WorkQueue(context.clock);
  const abort = new AbortController();
  const unsubscribers: (() => void)[] = [];
  let working: Promise<void> = Promise.resolve();
  let synced: Promise<unknown> = Promise.resolve();

  async function reconcile(key: string): Promise<void> {
    const again = await spec.reconcile(key);
    if (again !== undefined) queue.addAfter(key, again);
  }

  function onError(key: string, error: unknown): void {
    // Someone else wrote or deleted in between: the daily bread of optimistic concurrency.
    const isOvertaken = isStatusReason(error, 'Conflict') || isStatusReason(error, 'NotFound');
    const level = isOvertaken || isNamespaceTerminating(error) ? 'debug' : 'warn';
    if (!abort.signal.aborted) log[level]('reconciling failed, trying again', { key, error: errorText(error) });
  }

  return {
    name: spec.name,
    async start(signal) {
      signal.addEventListener('abort', () => abort.abort(), { once: true });
      for (const source of spec.watches) unsubscribers.push(source.start(queue));
      synced = Promise.all(spec.watches.map((source) => source.synced()));
      working = synced.then(() => queue.run(spec.workers, reconcile, onError, abort.signal));
    },
    async ready() {
      await synced;
    },
    async stop() {
      abort.abort();
      for (const unsubscribe of unsubscribers) unsubscribe();
      await working;
    },
  };
}

import { type Clock, sleep } from '../base/clock.ts';
import type { GrpcChannel } from '../grpc/channel.ts';
import { hasGrpcCode } from '../grpc/error.ts';
import { decode, encode } from './codec.ts';
import type { ContainerEvent, RuntimeService } from './services.ts';
import type { EnumValue } from './types.ts';

const EVENTS = 'containerd.services.events.v1.Events';
const NAMESPACE = 'k8s.io';
/** A topic of ours: seeing it come back proves that the subscription is in place. */
const PROBE_TOPIC = '/kedge/subscribed';
const PROBE_INTERVAL = 20;
/** How long containerd's CRI plugin is given to note an exit that containerd has announced; it unmounts things first. */
const SETTLE_LIMIT = 30_000;
const SETTLE_LONGEST_PAUSE = 500;

const TOPICS: Readonly<Record<string, ContainerEvent['type']>> = {
  '/containers/create': 'created',
  '/tasks/start': 'started',
  '/tasks/exit': 'stopped',
  '/containers/delete': 'deleted',
};

const CRI_TYPES: Readonly<Record<EnumValue<'ContainerEventType'>, ContainerEvent['type']>> = {
  CONTAINER_CREATED_EVENT: 'created',
  CONTAINER_STARTED_EVENT: 'started',
  CONTAINER_STOPPED_EVENT: 'stopped',
  CONTAINER_DELETED_EVENT: 'deleted',
};

export interface EventSource {
  readonly channel: GrpcChannel;
  readonly runtime: Pick<RuntimeService, 'containerStatus' | 'podSandboxStatus'>;
  readonly clock: Clock;
}

interface Subscription {
  readonly signal: AbortSignal;
  readonly onOpen?: () => void;
}

/**
 * The events of `RuntimeService.containerEvents`. containerd's own event service comes first: CRI's
 * GetContainerEvents is missing in containerd 1.6, and in 1.7 hands each event to one of its callers only, which
 * may be one that has gone. Other runtimes are asked by GetContainerEvents; one that has neither gets the caller
 * `UNIMPLEMENTED`.
 */
export async function* containerEvents(source: EventSource, options: Subscription): AsyncGenerator<ContainerEvent> {
  try {
    yield* containerdEvents(source, options);
  } catch (error) {
    if (options.signal.aborted) return;
    if (!hasGrpcCode(error, 'UNIMPLEMENTED')) throw error;
  }
  if (options.signal.aborted) return;
  try {
    yield* criEvents(source.channel, options);
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}

/** CRI's own stream. The runtime queues events until they are asked for, so it is open from the start. */
async function* criEvents(channel: GrpcChannel, options: Subscription): AsyncGenerator<ContainerEvent> {
  const method = 'runtime.v1.RuntimeService/GetContainerEvents';
  const request = encode('GetEventsRequest', {});
  options.onOpen?.();
  for await (const bytes of channel.stream({ method, request, timeoutMs: Infinity, signal: options.signal })) {
    const event = decode('ContainerEventResponse', bytes);
    yield { containerId: event.containerId, type: CRI_TYPES[event.containerEventType], createdAt: event.createdAt };
  }
}

async function* containerdEvents(source: EventSource, options: Subscription): AsyncGenerator<ContainerEvent> {
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const queue: ContainerEvent[] = [];
  let wake = (): void => {};
  let failure: { readonly error: unknown } | undefined;
  const push = (event: ContainerEvent): void => {
    queue.push(event);
    wake();
  };
  const pumping = pump(source, signal, push, options.onOpen).then(
    () => {
      failure = { error: undefined };
      wake();
    },
    (error: unknown) => {
      failure = { error };
      wake();
    },
  );
  try {
    for (;;) {
      const event = queue.shift();
      if (event !== undefined) yield event;
      else if (failure === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if (failure.error === undefined) return;
      else throw failure.error;
    }
  } finally {
    ended.abort();
    await pumping;
  }
}

/** Reads containerd's events until the stream ends, handing each on once the CRI plugin has taken note of it. */
async function pump(
  source: EventSource,
  signal: AbortSignal,
  push: (event: ContainerEvent) => void,
  onOpen: (() => void) | undefined,
): Promise<void> {
  const topics = [...Object.keys(TOPICS), PROBE_TOPIC];
  const filters = topics.map((topic) => `namespace==${NAMESPACE},topic=="${topic}"`);
  const call = { method: `${EVENTS}/Subscribe`, request: encode('SubscribeRequest', { filters }), timeoutMs: Infinity };
  const opened = new AbortController();
  const probing = probe(source, AbortSignal.any([signal, opened.signal]));
  try {
    for await (const bytes of source.channel.stream({ ...call, signal })) {
      const envelope = decode('Envelope', bytes);
      const type = TOPICS[envelope.topic];
      if (type !== undefined) {
        const event = eventOf(type, envelope.event?.value ?? Buffer.alloc(0), stampOf(envelope.timestamp));
        if (event?.type === 'stopped') void settleExit(source, event.containerId, signal).then(() => push(event));
        else if (event !== undefined) push(event);
      } else if (!opened.signal.aborted) {
        opened.abort();
        onOpen?.();
      }
    }
  } finally {
    opened.abort();
    await probing;
  }
}

function stampOf(timestamp: { readonly seconds: number; readonly nanos: number } | undefined): bigint {
  return BigInt(timestamp?.seconds ?? 0) * 1_000_000_000n + BigInt(timestamp?.nanos ?? 0);
}

/** The event in containerd's envelope; undefined for the exit of an exec, which has an id of its own. */
function eventOf(type: ContainerEvent['type'], value: Uint8Array, createdAt: bigint): ContainerEvent | undefined {
  if (type !== 'stopped') return { containerId: decode('AnyTaskEvent', value).containerId, type, createdAt };
  const exit = decode('TaskExitEvent', value);
  return exit.id === exit.containerId ? { containerId: exit.containerId, type, createdAt } : undefined;
}

/** Publishes the probe until `signal` aborts; failures are the subscription's to report. */
async function probe(source: EventSource, signal: AbortSignal): Promise<void> {
  const request = encode('PublishRequest', { topic: PROBE_TOPIC, event: { typeUrl: 'kedge.dev/subscribed' } });
  const metadata = { 'containerd-namespace': NAMESPACE };
  while (!signal.aborted) {
    try {
      await source.channel.unary({ method: `${EVENTS}/Publish`, request, metadata, timeoutMs: 5000, signal });
    } catch (error) {
      if (hasGrpcCode(error, 'UNIMPLEMENTED', 'UNAVAILABLE', 'CANCELLED')) return;
    }
    await sleep(source.clock, PROBE_INTERVAL, signal);
  }
}

/**
 * containerd announces an exit before its CRI plugin has stored it, so a ContainerStatus asked for at once would
 * still say "running"; or "created", when the container was quicker than the StartContainer that began it, and
 * "running" after that. Resolves when the plugin has the exit, or after a limit.
 */
async function settleExit(source: EventSource, id: string, signal: AbortSignal): Promise<void> {
  let pause = 2;
  for (let waited = 0; waited < SETTLE_LIMIT && !signal.aborted; waited += pause) {
    if (!(await seemsAlive(source, id, signal))) return;
    await sleep(source.clock, pause, signal);
    pause = Math.min(pause * 2, SETTLE_LONGEST_PAUSE);
  }
}

async function seemsAlive(source: EventSource, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    const { status } = await source.runtime.containerStatus({ containerId: id }, { signal });
    return status?.state === 'CONTAINER_RUNNING' || status?.state === 'CONTAINER_CREATED';
  } catch (error) {
    if (!hasGrpcCode(error, 'NOT_FOUND')) return false;
  }
  try {
    const { status } = await source.runtime.podSandboxStatus({ podSandboxId: id }, { signal });
    return status?.state === 'SANDBOX_READY';
  } catch {
    // Gone or unreachable: nothing to wait for, and whoever gets the event asks again.
    return false;
  }
}

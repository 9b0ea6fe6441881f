import { type Clock, sleep } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { RuntimeService } from '../cri/services.ts';
import type { Message } from '../cri/types.ts';
import { hasGrpcCode } from '../grpc/error.ts';
import { LABELS } from './container-labels.ts';
import { containerFromCri, runState, sandboxFromCri } from './runtime-convert.ts';
import type { ContainerRuntimeStatus, PodRuntimeStatus, SandboxRuntimeStatus } from './runtime-status.ts';
import { terminationMessage } from './termination-message.ts';

export interface RuntimeStateOptions {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Everything is listed again this often, should an event ever be lost. */
const SAFETY_RELIST_MS = 60_000;
/** How often the runtime is asked when it has no events to offer. */
const POLL_MS = 1000;
const RECONNECT_MS = 500;

interface Refresh {
  /** Something has changed since the refresh in progress began. */
  again: boolean;
  done: Promise<PodRuntimeStatus | undefined>;
}

/**
 * What the runtime knows of all Pods, kept current by its events: upstream's PLEG and Pod cache in one. Nothing is
 * polled while the runtime offers events. Subscribers hear the uid of every Pod whose state has changed.
 */
export class RuntimeState {
  readonly #runtime: RuntimeService;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pods = new Map<string, PodRuntimeStatus>();
  /** The Pod of each container and sandbox. */
  readonly #owners = new Map<string, string>();
  readonly #refreshes = new Map<string, Refresh>();
  readonly #subscribers = new Set<(uid: string) => void>();

  constructor(options: RuntimeStateOptions) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  get(uid: string): PodRuntimeStatus | undefined {
    return this.#pods.get(uid);
  }

  /** The Pods of which the runtime knows anything. */
  uids(): string[] {
    return [...this.#pods.keys()];
  }

  subscribe(handler: (uid: string) => void): () => void {
    this.#subscribers.add(handler);
    return () => this.#subscribers.delete(handler);
  }

  /** Tells whose a container or sandbox just made is, so that its first event finds its Pod. */
  note(id: string, uid: string): void {
    this.#owners.set(id, uid);
  }

  /** Lists everything once, then follows the runtime's events until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await this.relist();
    void this.#follow(signal);
    void this.#relistNowAndThen(signal);
  }

  /** Asks the runtime for everything and refreshes the Pods that look different. Rejects with GrpcError. */
  async relist(): Promise<void> {
    const [{ items }, { containers }] = await Promise.all([
      this.#runtime.listPodSandbox({}),
      this.#runtime.listContainers({}),
    ]);
    const seen = new Map<string, string[]>();
    const add = (labels: Readonly<Record<string, string>>, mark: string): void => {
      const uid = labels[LABELS.podUid];
      if (uid !== undefined) seen.set(uid, [...(seen.get(uid) ?? []), mark]);
    };
    for (const sandbox of items) add(sandbox.labels, `${sandbox.id}=${sandbox.state === 'SANDBOX_READY'}`);
    for (const container of containers) add(container.labels, `${container.id}=${runState(container.state)}`);
    const changed = new Set([...seen.keys(), ...this.#pods.keys()]);
    for (const [uid, marks] of seen) {
      if (marks.sort().join() === marksOf(this.#pods.get(uid)).sort().join()) changed.delete(uid);
    }
    await Promise.all([...changed].map((uid) => this.refresh(uid)));
  }

  /** Asks the runtime for one Pod, now, and returns what it says; undefined when it knows nothing of the Pod. */
  refresh(uid: string): Promise<PodRuntimeStatus | undefined> {
    const running = this.#refreshes.get(uid);
    if (running !== undefined) {
      running.again = true;
      return running.done;
    }
    const refresh: Refresh = { again: false, done: Promise.resolve(undefined) };
    refresh.done = this.#refresh(uid, refresh).finally(() => this.#refreshes.delete(uid));
    this.#refreshes.set(uid, refresh);
    return refresh.done;
  }

  async #refresh(uid: string, refresh: Refresh): Promise<PodRuntimeStatus | undefined> {
    for (;;) {
      refresh.again = false;
      const status = await this.#inspect(uid);
      if (!refresh.again) {
        this.#store(uid, status);
        return status;
      }
    }
  }

  #store(uid: string, status: PodRuntimeStatus | undefined): void {
    const before = this.#pods.get(uid);
    const ids = [...(status?.sandboxes ?? []), ...(status?.containers ?? [])].map(({ id }) => id);
    for (const { id } of [...(before?.sandboxes ?? []), ...(before?.containers ?? [])]) {
      if (!ids.includes(id)) this.#owners.delete(id);
    }
    for (const id of ids) this.#owners.set(id, uid);
    if (status === undefined) this.#pods.delete(uid);
    else this.#pods.set(uid, status);
    if (marksOf(before).sort().join() === marksOf(status).sort().join()) return;
    for (const subscriber of this.#subscribers) subscriber(uid);
  }

  async #inspect(uid: string): Promise<PodRuntimeStatus | undefined> {
    const labelSelector = { [LABELS.podUid]: uid };
    const known = this.#pods.get(uid);
    const [{ items }, { containers }] = await Promise.all([
      this.#runtime.listPodSandbox({ filter: { labelSelector } }),
      this.#runtime.listContainers({ filter: { labelSelector } }),
    ]);
    const one = items[0] ?? containers[0];
    if (one === undefined) return undefined;
    const [sandboxes, instances] = await Promise.all([
      Promise.all(items.map((item) => this.#sandbox(item, known))),
      Promise.all(containers.map((container) => this.#container(container, known))),
    ]);
    return {
      uid,
      name: one.labels[LABELS.podName] ?? '',
      namespace: one.labels[LABELS.podNamespace] ?? '',
      sandboxes: sandboxes
        .filter((sandbox) => sandbox !== undefined)
        .sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt),
      containers: instances
        .filter((container) => container !== undefined)
        .sort((a, b) => b.restartCount - a.restartCount || b.createdAt - a.createdAt),
    };
  }

  /** The sandbox as known when its state is unchanged, else as the runtime says; undefined when it has just gone. */
  async #sandbox(
    item: Message<'PodSandbox'>,
    known: PodRuntimeStatus | undefined,
  ): Promise<SandboxRuntimeStatus | undefined> {
    const before = known?.sandboxes.find(({ id }) => id === item.id);
    if (before !== undefined && before.ready === (item.state === 'SANDBOX_READY')) return before;
    const answer = await unlessGone(this.#runtime.podSandboxStatus({ podSandboxId: item.id }));
    return answer?.status === undefined ? undefined : sandboxFromCri(answer.status);
  }

  async #container(
    item: Message<'Container'>,
    known: PodRuntimeStatus | undefined,
  ): Promise<ContainerRuntimeStatus | undefined> {
    const before = known?.containers.find(({ id }) => id === item.id);
    if (before !== undefined && before.state === runState(item.state)) return before;
    const answer = await unlessGone(this.#runtime.containerStatus({ containerId: item.id }));
    const status = answer?.status;
    if (status === undefined) return undefined;
    const message = status.state === 'CONTAINER_EXITED' ? await terminationMessage(status) : '';
    return containerFromCri(status, item.podSandboxId, message);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const onOpen = (): void => this.#background(this.relist());
        for await (const event of this.#runtime.containerEvents({ signal, onOpen })) {
          // Beginnings are of the kubelet's own making, which looks itself; only endings come as news.
          if (event.type === 'created' || event.type === 'started') continue;
          const uid = this.#owners.get(event.containerId);
          if (uid !== undefined) this.#background(this.refresh(uid));
        }
      } catch (error) {
        if (signal.aborted) return;
        if (hasGrpcCode(error, 'UNIMPLEMENTED')) {
          this.#log.warn('the container runtime has no events: asking it every second');
          await this.#poll(signal);
          return;
        }
        this.#log.warn('lost the container runtime, connecting again', { error: errorText(error) });
      }
      await sleep(this.#clock, RECONNECT_MS, signal);
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#pods.size > 0) this.#background(this.relist());
      await sleep(this.#clock, POLL_MS, signal);
    }
  }

  async #relistNowAndThen(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#clock, SAFETY_RELIST_MS, signal);
      if (signal.aborted) return;
      this.#background(this.relist());
    }
  }

  #background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#log.warn('could not ask the container runtime', { error: errorText(error) });
    });
  }
}

/** What tells two states of a Pod apart. */
function marksOf(status: PodRuntimeStatus | undefined): string[] {
  if (status === undefined) return [];
  return [
    ...status.sandboxes.map((sandbox) => `${sandbox.id}=${sandbox.ready}`),
    ...status.containers.map((container) => `${container.id}=${container.state}`),
  ];
}

async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasGrpcCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

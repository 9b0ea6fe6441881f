import type { Node, NodeStatus } from '../api/generated/core-v1.ts';
import { nodes } from '../api/resources.ts';
import { deepEqual } from '../apimachinery/deep-equal.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import type { RuntimeService } from '../cri/services.ts';
import { fileSystemBytes, type MachineFacts, readMachine } from '../host/machine.ts';
import {
  allocatableResources,
  type NodeIdentity,
  type NodeResources,
  nodeLabels,
  nodeStatus,
  statusBody,
} from './node-object.ts';

export interface NodeReporterOptions {
  readonly client: Client;
  readonly runtime: RuntimeService;
  readonly clock: Clock;
  readonly log: Logger;
  readonly identity: NodeIdentity;
  /** A folder on the file system whose size is the node's ephemeral storage. */
  readonly storagePath: string;
  /** Called when the runtime has become able to give Pods a network, or no longer is. */
  readonly onNetworkChange: () => void;
}

/** How often the runtime and the machine are looked at, once the node is ready and before. */
const CHECK_MS = 10_000;
const FIRST_CHECK_MS = 100;
/** How often the status is written when it has not changed (nodeStatusReportFrequency). */
const REPORT_MS = 300_000;
const RETRY_MS = 500;
/** A runtime that does not answer counts as down only after this time (upstream's maxWaitForContainerRuntime). */
const RUNTIME_SILENCE_MS = 30_000;

/** Registers the Node and keeps its status current: upstream kubelet's node status. Written on change or every 5 min. */
export class NodeReporter {
  readonly #options: NodeReporterOptions;
  readonly #ready = Promise.withResolvers<void>();
  readonly #registered = Promise.withResolvers<void>();
  #machine: MachineFacts | undefined;
  #storageBytes = 0;
  #runtimeVersion = '';
  #networkProblem: string | undefined = 'the container runtime has not been asked yet';
  #runtimeProblem: string | undefined;
  /** When the runtime last answered. */
  #heardAt: number | undefined;
  #node: Node | undefined;
  readonly #seen: Informer<Node>;
  #wake: () => void = () => {};
  #reportedAt = 0;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#seen = options.client.informer(nodes, { fieldSelector: `metadata.name=${options.identity.name}` });
    // Nobody may be waiting when the start fails; who does wait hears of it all the same.
    this.#ready.promise.catch(() => undefined);
    this.#registered.promise.catch(() => undefined);
  }

  /** Why Pods cannot have a network; undefined when they can. */
  get networkProblem(): string | undefined {
    return this.#networkProblem;
  }

  get resources(): NodeResources {
    if (this.#machine === undefined) return { cpu: 0, memory: 0, ephemeralStorage: 0 };
    return allocatableResources(this.#machine, this.#storageBytes);
  }

  /** The node's memory in bytes. */
  get memoryBytes(): number {
    return this.#machine?.memoryBytes ?? 0;
  }

  /** Reads what the node is made of; before anything else is asked of it. */
  async inspect(): Promise<void> {
    const { runtime, storagePath } = this.#options;
    const [machine, storageBytes, version] = await Promise.all([
      readMachine(),
      fileSystemBytes(storagePath),
      runtime.version({}),
    ]);
    this.#machine = machine;
    this.#storageBytes = storageBytes;
    this.#runtimeVersion = `${version.runtimeName}://${version.runtimeVersion.replace(/^v/, '')}`;
    await this.#checkRuntime();
  }

  /** Registers the node and goes on reporting until `signal` aborts. */
  start(signal: AbortSignal): void {
    void this.#run(signal);
  }

  /** Resolves when the API has the node as Ready. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when the API has the node with what it has to offer. */
  registered(): Promise<void> {
    return this.#registered.promise;
  }

  /** The newest form of the Node that is known here. */
  get node(): Node | undefined {
    return newer(this.#seen.get(this.#options.identity.name), this.#node);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const unsubscribe = this.#seen.subscribe((event) => {
      if (event.type === 'modified' && this.#isTakenBack(event.object)) this.#wake();
    });
    while (!signal.aborted) {
      let pause = CHECK_MS;
      try {
        await this.#checkRuntime();
        await this.#report();
        this.#registered.resolve();
        if (this.#problem === undefined) this.#ready.resolve();
        else pause = FIRST_CHECK_MS;
      } catch (error) {
        log.warn('node not reported, trying again', { error: errorText(error) });
        this.#node = undefined;
        pause = RETRY_MS;
      }
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await sleep(clock, pause, AbortSignal.any([signal, woken.signal]));
    }
    unsubscribe();
    this.#registered.reject(new Error('stopped before the node was registered'));
  }

  /** Whether somebody has written that he knows nothing of this node: it was silent for too long. */
  #isTakenBack({ status }: Node): boolean {
    const isUnknown = status.conditions?.some(
      (condition) => condition.type === 'Ready' && condition.status === 'Unknown',
    );
    return isUnknown === true && this.#node !== undefined;
  }

  /** The form of the Node to go on from: none after a failure, then it is asked for. */
  #newest(): Node | undefined {
    return this.#node && newer(this.#seen.get(this.#options.identity.name), this.#node);
  }

  get #problem(): string | undefined {
    if (this.#runtimeProblem !== undefined) return this.#runtimeProblem;
    return this.#networkProblem === undefined
      ? undefined
      : `container runtime network not ready: ${this.#networkProblem}`;
  }

  async #checkRuntime(): Promise<void> {
    const { runtime, clock } = this.#options;
    const before = this.#networkProblem;
    try {
      const { status } = await runtime.status({});
      this.#heardAt = clock.now();
      const told = (type: string): string | undefined => {
        const condition = status?.conditions.find((candidate) => candidate.type === type);
        if (condition?.status === true) return undefined;
        return `${type}=false reason:${condition?.reason ?? ''} message:${condition?.message ?? ''}`;
      };
      const runtimeProblem = told('RuntimeReady');
      this.#runtimeProblem = runtimeProblem && `container runtime not ready: ${runtimeProblem}`;
      this.#networkProblem = told('NetworkReady');
    } catch (error) {
      // While it is started again its Pods serve on: telling of it would take them out of their Services.
      if (this.#heardAt !== undefined && clock.now() - this.#heardAt < RUNTIME_SILENCE_MS) return;
      this.#runtimeProblem = `container runtime is down: ${errorText(error)}`;
    }
    if (before !== this.#networkProblem) this.#options.onNetworkChange();
  }

  async #report(): Promise<void> {
    const { client, clock, identity, storagePath } = this.#options;
    this.#storageBytes = await fileSystemBytes(storagePath);
    const node = this.#newest() ?? (await this.#register());
    const now = clock.now();
    const wanted = this.#status(node, now);
    const same = deepEqual(statusBody(wanted), statusBody(ownPart(node.status, wanted)));
    this.#node = node;
    if (same && now - this.#reportedAt < REPORT_MS) return;
    // Lists with a merge key would be added to: the marker makes the patch replace the addresses.
    const body = { status: { ...wanted, addresses: [...(wanted.addresses ?? []), { $patch: 'replace' }] } };
    this.#node = await client.patch(nodes, identity.name, { type: 'strategic', body }, { subresource: 'status' });
    this.#reportedAt = now;
  }

  /** The Node as the API has it, made when it is missing and with this node's labels. */
  async #register(): Promise<Node> {
    const { client, identity, log } = this.#options;
    const labels = nodeLabels(identity, this.#facts());
    try {
      const found = await client.get(nodes, identity.name);
      const current = Object.entries(labels).every(([key, value]) => found.metadata.labels?.[key] === value);
      if (current) return found;
      return await client.patch(nodes, identity.name, { type: 'merge', body: { metadata: { labels } } });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
    log.info('registering the node', { node: identity.name });
    const created = await client.create(nodes, {
      metadata: { name: identity.name, labels },
      spec: identity.taints.length === 0 ? {} : { taints: [...identity.taints] },
    });
    return created;
  }

  #status(node: Node, now: number): NodeStatus {
    return nodeStatus({
      identity: this.#options.identity,
      machine: this.#facts(),
      storageBytes: this.#storageBytes,
      runtimeVersion: this.#runtimeVersion,
      problem: this.#problem,
      conditions: node.status.conditions ?? [],
      now,
    });
  }

  #facts(): MachineFacts {
    if (this.#machine === undefined) throw new Error('the machine has not been inspected');
    return this.#machine;
  }
}

/** The one of two forms of the Node that was stored later. */
function newer(seen: Node | undefined, own: Node | undefined): Node | undefined {
  if (seen === undefined || own === undefined) return seen ?? own;
  const versionOf = ({ metadata }: Node): number => Number(metadata.resourceVersion ?? 0);
  return versionOf(seen) > versionOf(own) ? seen : own;
}

/** Of `stored` the fields and conditions that `wanted` speaks of. */
function ownPart(stored: NodeStatus, wanted: NodeStatus): NodeStatus {
  const types = (wanted.conditions ?? []).map(({ type }) => type);
  const conditions = types.flatMap((type) => stored.conditions?.filter((condition) => condition.type === type) ?? []);
  const { capacity, allocatable, addresses, daemonEndpoints, nodeInfo } = stored;
  return { capacity, allocatable, conditions, addresses, daemonEndpoints, nodeInfo };
}

import { readdir } from 'node:fs/promises';
import type { Node, Pod } from '../api/generated/core-v1.ts';
import { errorText } from '../base/log.ts';
import type { Informer } from '../client/informer.ts';
import { WorkQueue } from '../client/work-queue.ts';
import { inAdmissionOrder } from './admit-pod.ts';
import type { Backoff } from './backoff.ts';
import type { ImageManager } from './images.ts';
import type { KubeletPaths } from './kubelet-paths.ts';
import { PodAdmission } from './pod-admission.ts';
import { podReferences, referenceKey } from './pod-references.ts';
import { PodWorker, type PodWorkerTools } from './pod-worker.ts';

export interface PodWorkersTools extends PodWorkerTools {
  readonly pods: Informer<Pod>;
  /** This node as it is known here. */
  readonly node: () => Node | undefined;
  /** This node as the API has it now. */
  readonly freshNode: () => Promise<Node>;
  readonly images: ImageManager;
  readonly crashBackoff: Backoff;
  readonly paths: KubeletPaths;
}

const ORPHAN_WORKERS = 2;

/**
 * One worker per Pod of this node, told of everything that concerns its Pod; and the end of what belongs to no Pod:
 * containers, volumes and cgroups left by Pods that were deleted while kedge was not running.
 */
export class PodWorkers {
  readonly #tools: PodWorkersTools;
  readonly #workers = new Map<string, PodWorker>();
  readonly #admission: PodAdmission;
  readonly #orphans: WorkQueue;
  readonly #unsubscribe: (() => void)[] = [];

  constructor(tools: PodWorkersTools) {
    this.#tools = tools;
    const { clock, node, freshNode } = tools;
    this.#admission = new PodAdmission({ clock, node, freshNode, others: (uid) => this.#takingRoom(uid) });
    this.#orphans = new WorkQueue(tools.clock);
  }

  /** The Pods of this node. */
  list(): readonly Pod[] {
    return [...this.#workers.values()].map(({ pod }) => pod);
  }

  find(namespace: string, name: string): Pod | undefined {
    return this.list().find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  }

  /** Begins; the informer, the references and the runtime state have to be complete. */
  async start(signal: AbortSignal): Promise<void> {
    const { pods, references, state } = this.#tools;
    for (const pod of inAdmissionOrder(pods.list(), (candidate) => this.#ranBefore(candidate))) this.#upsert(pod);
    this.#unsubscribe.push(
      pods.subscribe((event) => {
        if (event.type === 'deleted') this.#workers.get(event.object.metadata.uid)?.removed(event.object);
        else this.#upsert(event.object);
      }),
      state.subscribe((uid) => this.#runtimeChanged(uid)),
      references.subscribe((kind, namespace, name) => {
        for (const worker of this.#workers.values()) {
          if (worker.pod.metadata.namespace !== namespace) continue;
          if (podReferences(worker.pod).has(referenceKey(kind, name))) worker.wake();
        }
      }),
    );
    const onError = (uid: string, error: unknown): void => {
      this.#tools.log.warn('remains of a pod not removed, trying again', { uid, error: errorText(error) });
    };
    void this.#orphans.run(ORPHAN_WORKERS, (uid) => this.#removeOrphan(uid), onError, signal);
    await this.#findOrphans();
  }

  /** Has every worker, or that of one Pod, look again. */
  wake(uid?: string): void {
    if (uid === undefined) for (const worker of this.#workers.values()) worker.wake();
    else this.#workers.get(uid)?.wake();
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    for (const worker of this.#workers.values()) worker.end();
  }

  #upsert(pod: Pod): void {
    const { uid } = pod.metadata;
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      if (known.state === 'syncing') this.#tools.references.follow(pod);
      known.update(pod);
      return;
    }
    if (this.#ranBefore(pod)) this.#admission.keep(uid);
    const worker = new PodWorker(pod, this.#tools, {
      admit: (current, signal) => this.#admission.decide(current, signal),
      gone: () => this.#gone(uid),
    });
    this.#workers.set(uid, worker);
    if (worker.state === 'syncing') this.#tools.references.follow(pod);
    worker.update(pod);
  }

  /** Whether the Pod was admitted by an earlier kedge: it has been given a start time, or something of it is there. */
  #ranBefore({ metadata, status }: Pod): boolean {
    return status.startTime !== undefined || this.#tools.state.get(metadata.uid) !== undefined;
  }

  /** The admitted Pods that take room on the node, without the one with this uid. */
  #takingRoom(except: string): Pod[] {
    const workers = [...this.#workers.values()];
    return workers
      .filter(({ uid }) => uid !== except && this.#admission.has(uid))
      .flatMap(({ takesRoom, pod }) => (takesRoom ? [pod] : []));
  }

  #gone(uid: string): void {
    this.#workers.delete(uid);
    this.#admission.forget(uid);
    this.#tools.statuses.forget(uid);
    this.#tools.images.forget(uid);
    this.#tools.crashBackoff.forgetPrefix(`${uid}/`);
  }

  #runtimeChanged(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker !== undefined) worker.wake();
    else if (this.#tools.state.get(uid) !== undefined) this.#orphans.add(uid);
  }

  async #findOrphans(): Promise<void> {
    const { paths, state } = this.#tools;
    const found = new Set([...state.uids(), ...(await readdir(paths.pods)), ...(await readdir(paths.memory))]);
    for (const uid of found) if (!this.#workers.has(uid)) this.#orphans.add(uid);
  }

  async #removeOrphan(uid: string): Promise<void> {
    if (this.#workers.has(uid)) return;
    const { cgroups, log, podRuntime, state, volumes } = this.#tools;
    const status = state.get(uid);
    log.info('removing what is left of a pod that is gone', {
      uid,
      pod: status && `${status.namespace}/${status.name}`,
    });
    if (status !== undefined) {
      await podRuntime.stop(undefined, status, undefined);
      const stopped = (await state.refresh(uid)) ?? status;
      await podRuntime.remove(stopped);
      await state.refresh(uid);
    }
    await cgroups.remove(uid);
    await volumes.tearDown(uid);
  }
}

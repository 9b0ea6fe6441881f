import type { Pod } from '../api/generated/core-v1.ts';
import { pods } from '../api/resources.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { Clock } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { WorkQueue } from '../client/work-queue.ts';
import { podKey } from './pod-info.ts';
import type { KubeletPodStatus } from './status.ts';
import { mergeStatus, statusPatch } from './status-patch.ts';

export interface StatusManagerOptions {
  readonly client: Pick<Client, 'get' | 'patch' | 'delete'>;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  /** The newest form of the Pod known to be stored. */
  stored: Pod;
  wanted: KubeletPodStatus | undefined;
  /** Nothing is left of the Pod here: after its last status it is deleted from the API. */
  finished: boolean;
}

const WORKERS = 8;

/**
 * Writes Pods' statuses to the API: for one Pod in order and one at a time, the newest only, and only what differs.
 * When a Pod that is being deleted has ended it takes the object away: upstream's status manager.
 */
export class StatusManager {
  readonly #client: StatusManagerOptions['client'];
  readonly #log: Logger;
  readonly #queue: WorkQueue;
  readonly #entries = new Map<string, Entry>();

  constructor(options: StatusManagerOptions) {
    this.#client = options.client;
    this.#log = options.log;
    this.#queue = new WorkQueue(options.clock);
  }

  /** Writes until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const onError = (uid: string, error: unknown): void => {
      const pod = this.#entries.get(uid)?.stored;
      this.#log.warn('pod status not written', { pod: pod && podKey(pod), error: errorText(error) });
    };
    return this.#queue.run(WORKERS, (uid) => this.#write(uid), onError, signal);
  }

  /** The Pod with the newest status there is, written or not: what the next status is computed from. */
  current(pod: Pod): Pod {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry === undefined) return pod;
    const stored = newer(pod, entry.stored).status;
    const status = entry.wanted === undefined ? stored : mergeStatus(stored, entry.wanted);
    return { ...pod, status };
  }

  /** Takes note of what the API has now. */
  observe(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry !== undefined) entry.stored = newer(pod, entry.stored);
  }

  /** Has `status` written unless it is stored already. */
  set(pod: Pod, status: KubeletPodStatus): void {
    const { uid } = pod.metadata;
    const entry = this.#entry(pod);
    entry.wanted = status;
    if (statusPatch(entry.stored, status) !== undefined) this.#queue.add(uid);
  }

  /** Has the Pod deleted from the API once its last status is written. */
  finish(pod: Pod): void {
    this.#entry(pod).finished = true;
    this.#queue.add(pod.metadata.uid);
  }

  /** Forgets a Pod that is gone from the API. */
  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  #entry(pod: Pod): Entry {
    const { uid } = pod.metadata;
    const known = this.#entries.get(uid);
    if (known !== undefined) {
      known.stored = newer(pod, known.stored);
      return known;
    }
    const entry: Entry = { stored: pod, wanted: undefined, finished: false };
    this.#entries.set(uid, entry);
    return entry;
  }

  async #write(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    const { name, namespace = '' } = entry.stored.metadata;
    const { wanted } = entry;
    try {
      const body = wanted === undefined ? undefined : statusPatch(entry.stored, wanted);
      if (body !== undefined) {
        const patch = { type: 'strategic', body } as const;
        const stored = await this.#client.patch(pods, name, patch, { namespace, subresource: 'status' });
        entry.stored = newer(stored, entry.stored);
        // What is wanted meanwhile may be just what was stored before, which at that time needed no writing.
        if (entry.wanted !== wanted) this.#queue.add(uid);
      }
      if (entry.finished && !awaitsFinalizers(entry.stored)) {
        await this.#client.delete(pods, name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } });
      }
    } catch (error) {
      // Gone, or another Pod of the same name: there is nobody to tell any more.
      const replaced = isStatusReason(error, 'Conflict') && (await this.#isReplaced(entry.stored));
      if (!replaced && !isStatusReason(error, 'NotFound')) throw error;
      this.forget(uid);
    }
  }

  /** Whether the Pod's name now belongs to another Pod. */
  async #isReplaced(pod: Pod): Promise<boolean> {
    try {
      const found = await this.#client.get(pods, pod.metadata.name, pod.metadata.namespace);
      return found.metadata.uid !== pod.metadata.uid;
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return true;
      throw error;
    }
  }
}

/** Whether the API has had the kubelet's deletion already and only waits for others. */
function awaitsFinalizers({ metadata }: Pod): boolean {
  return metadata.deletionGracePeriodSeconds === 0 && (metadata.finalizers ?? []).length > 0;
}

/** The one of two forms of a Pod that was stored later; resource versions of this API are numbers. */
function newer(a: Pod, b: Pod): Pod {
  return Number(a.metadata.resourceVersion) >= Number(b.metadata.resourceVersion) ? a : b;
}

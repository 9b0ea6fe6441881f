import type { Node, Pod } from '../api/generated/core-v1.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { type AdmissionRefusal, admitPod } from './admit-pod.ts';

export interface PodAdmissionOptions {
  readonly clock: Clock;
  /** The Node as it is known here. */
  readonly node: () => Node | undefined;
  /** The Node as the API has it now. */
  readonly freshNode: () => Promise<Node>;
  /** The Pods that take room on the node, without the one with this uid. */
  readonly others: (uid: string) => readonly Pod[];
}

/**
 * How many Pods are refused without delay, and the time between those that follow: whoever makes each refused Pod anew
 * (a ReplicaSet whose template names the node) would else fill the cluster with Failed ones.
 */
const REFUSED_AT_ONCE = 50;
const REFUSAL_INTERVAL_MS = 500;

/** Decides once for each Pod whether it may run here, and remembers which ones may. */
export class PodAdmission {
  readonly #options: PodAdmissionOptions;
  readonly #admitted = new Set<string>();
  /** When the Pod that was last to be refused has or had its turn, in milliseconds since the epoch. */
  #lastTurn = Number.NEGATIVE_INFINITY;
  #waiting = 0;

  constructor(options: PodAdmissionOptions) {
    this.#options = options;
  }

  has(uid: string): boolean {
    return this.#admitted.has(uid);
  }

  /** Lets a Pod in that has been running here: it is never judged again. */
  keep(uid: string): void {
    this.#admitted.add(uid);
  }

  forget(uid: string): void {
    this.#admitted.delete(uid);
  }

  /**
   * Why `pod` may not run here. A Pod that may counts before this function gives way to others. Refusals are made with
   * the newest Node only: a label or a resource may have come that the scheduler knew of earlier; and when there are
   * many, one after the other. `signal` ends the wait, with nothing decided.
   */
  async decide(pod: Pod, signal: AbortSignal): Promise<AdmissionRefusal | undefined> {
    if (this.has(pod.metadata.uid)) return undefined;
    const known = this.#options.node();
    if (known?.status.allocatable !== undefined && this.#judge(pod, known) === undefined) return undefined;
    await this.#turn(signal);
    if (signal.aborted) return undefined;
    const fresh = await this.#options.freshNode();
    if (fresh.status.allocatable === undefined) throw new Error('what the node has is not known yet');
    return this.#judge(pod, fresh);
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const earliest = now - REFUSED_AT_ONCE * REFUSAL_INTERVAL_MS;
    // A clock that was set back must not make anybody wait for longer than those before him need.
    const latest = now + this.#waiting * REFUSAL_INTERVAL_MS;
    this.#lastTurn = Math.min(Math.max(this.#lastTurn, earliest), latest) + REFUSAL_INTERVAL_MS;
    if (this.#lastTurn <= now) return;
    this.#waiting += 1;
    await sleep(this.#options.clock, this.#lastTurn - now, signal);
    this.#waiting -= 1;
  }

  #judge(pod: Pod, node: Node): AdmissionRefusal | undefined {
    const { uid } = pod.metadata;
    const refusal = admitPod(pod, node, this.#options.others(uid));
    if (refusal === undefined) this.#admitted.add(uid);
    return refusal;
  }
}

import type { Node, Pod } from '../api/generated/core-v1.ts';
import { type AdmissionRefusal, admitPod } from './admit-pod.ts';

export interface PodAdmissionOptions {
  /** The Node as it is known here. */
  readonly node: () => Node | undefined;
  /** The Node as the API has it now. */
  readonly freshNode: () => Promise<Node>;
  /** The Pods that take room on the node, without the one with this uid. */
  readonly others: (uid: string) => readonly Pod[];
}

/** Decides once for each Pod whether it may run here, and remembers which ones may. */
export class PodAdmission {
  readonly #options: PodAdmissionOptions;
  readonly #admitted = new Set<string>();

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
   * the newest Node only: a label or a resource may have come that the scheduler knew of earlier.
   */
  async decide(pod: Pod): Promise<AdmissionRefusal | undefined> {
    if (this.has(pod.metadata.uid)) return undefined;
    const known = this.#options.node();
    if (known?.status.allocatable !== undefined && this.#judge(pod, known) === undefined) return undefined;
    const fresh = await this.#options.freshNode();
    if (fresh.status.allocatable === undefined) throw new Error('what the node has is not known yet');
    return this.#judge(pod, fresh);
  }

  #judge(pod: Pod, node: Node): AdmissionRefusal | undefined {
    const { uid } = pod.metadata;
    const refusal = admitPod(pod, node, this.#options.others(uid));
    if (refusal === undefined) this.#admitted.add(uid);
    return refusal;
  }
}

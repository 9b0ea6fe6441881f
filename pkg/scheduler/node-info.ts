import type { Node, Pod } from '../api/generated/core-v1.ts';
import { type HostPort, hostPortsOf } from './host-ports.ts';
import { type Amounts, addAmounts, amountsOf, podRequests } from './resources.ts';

/** What a Pod takes of its node, computed once. */
interface Taken {
  readonly pod: Pod;
  readonly requests: Amounts;
  readonly forScore: Amounts;
  readonly ports: readonly HostPort[];
}

/**
 * A node with the Pods on it. Sums are kept up to date as Pods come and go: adding or removing one costs what that
 * Pod costs, however many there are.
 */
export class NodeInfo {
  readonly name: string;
  readonly #taken = new Map<string, Taken>();
  /** Undefined while only Pods of the node are known. */
  #node: Node | undefined;
  #allocatable: Amounts = new Map();
  #images: ReadonlyMap<string, number> = new Map();
  /** What the Pods ask for together. */
  readonly requested: Amounts = new Map();
  /** The same with a little for containers that ask for nothing; what scores are made from. */
  readonly requestedForScore: Amounts = new Map();

  constructor(name: string) {
    this.name = name;
  }

  /** The Node object; only nodes that have one are considered. */
  get node(): Node | undefined {
    return this.#node;
  }

  set node(node: Node | undefined) {
    if (node?.status.allocatable !== this.#node?.status.allocatable) {
      this.#allocatable = amountsOf(node?.status.allocatable);
    }
    if (node?.status.images !== this.#node?.status.images) {
      this.#images = new Map(
        (node?.status.images ?? []).flatMap(({ names = [], sizeBytes = 0 }) =>
          names.map((name): [string, number] => [name, sizeBytes]),
        ),
      );
    }
    this.#node = node;
  }

  get allocatable(): ReadonlyMap<string, number> {
    return this.#allocatable;
  }

  /** Sizes of the images that are there, in bytes, by name. */
  get images(): ReadonlyMap<string, number> {
    return this.#images;
  }

  get podCount(): number {
    return this.#taken.size;
  }

  *pods(): IterableIterator<Pod> {
    for (const { pod } of this.#taken.values()) yield pod;
  }

  *hostPorts(): IterableIterator<HostPort> {
    for (const { ports } of this.#taken.values()) yield* ports;
  }

  /** Adds `pod`, or replaces what was known of it. */
  addPod(pod: Pod): void {
    this.removePod(pod.metadata.uid);
    const taken = { pod, requests: podRequests(pod), forScore: podRequests(pod, true), ports: hostPortsOf(pod) };
    this.#taken.set(pod.metadata.uid, taken);
    addAmounts(this.requested, taken.requests);
    addAmounts(this.requestedForScore, taken.forScore);
  }

  removePod(uid: string): void {
    const taken = this.#taken.get(uid);
    if (taken === undefined) return;
    this.#taken.delete(uid);
    addAmounts(this.requested, taken.requests, -1);
    addAmounts(this.requestedForScore, taken.forScore, -1);
  }

  /** A copy on which changes can be tried. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.name);
    copy.node = this.#node;
    for (const [uid, taken] of this.#taken) copy.#taken.set(uid, taken);
    addAmounts(copy.requested, this.requested);
    addAmounts(copy.requestedForScore, this.requestedForScore);
    return copy;
  }
}

import type { Node, Pod } from '../api/generated/core-v1.ts';
import { type HostPort, hostPortsOf } from '../apimachinery/host-ports.ts';
import { type Amounts, addAmounts, amountsOf, podRequests } from '../apimachinery/pod-requests.ts';

/** What a Pod takes of its node, computed once. */
interface Taken {
  readonly pod: Pod;
  readonly requests: Amounts;
  readonly forScore: Amounts;
  readonly ports: readonly HostPort[];
}

/** By Pod object, which never changes. */
const known = new WeakMap<Pod, Taken>();

function takenBy(pod: Pod): Taken {
  let taken = known.get(pod);
  if (taken === undefined) {
    taken = { pod, requests: podRequests(pod), forScore: podRequests(pod, true), ports: hostPortsOf(pod) };
    known.set(pod, taken);
  }
  return taken;
}

/**
 * A node with the Pods on it. Sums are kept up to date as Pods come and go: adding or removing one costs what that
 * Pod costs, however many there are.
 */
export class NodeInfo {
  readonly name: string;
  readonly #taken = new Map<string, Taken>();
  /** The Pods that say beside which others they want to be, or not. */
  readonly #withAffinity = new Map<string, Pod>();
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

  /** The Pods here that have Pod affinity or anti-affinity of their own. */
  podsWithAffinity(): IterableIterator<Pod> {
    return this.#withAffinity.values();
  }

  *hostPorts(): IterableIterator<HostPort> {
    for (const { ports } of this.#taken.values()) yield* ports;
  }

  /** Adds `pod`, or replaces what was known of it. */
  addPod(pod: Pod): void {
    this.removePod(pod.metadata.uid);
    const taken = takenBy(pod);
    this.#taken.set(pod.metadata.uid, taken);
    const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
    if (podAffinity !== undefined || podAntiAffinity !== undefined) this.#withAffinity.set(pod.metadata.uid, pod);
    addAmounts(this.requested, taken.requests);
    addAmounts(this.requestedForScore, taken.forScore);
  }

  removePod(uid: string): void {
    const taken = this.#taken.get(uid);
    if (taken === undefined) return;
    this.#taken.delete(uid);
    this.#withAffinity.delete(uid);
    addAmounts(this.requested, taken.requests, -1);
    addAmounts(this.requestedForScore, taken.forScore, -1);
  }

  /** A copy on which changes can be tried. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.name);
    copy.node = this.#node;
    for (const [uid, taken] of this.#taken) copy.#taken.set(uid, taken);
    for (const [uid, pod] of this.#withAffinity) copy.#withAffinity.set(uid, pod);
    addAmounts(copy.requested, this.requested);
    addAmounts(copy.requestedForScore, this.requestedForScore);
    return copy;
  }
}

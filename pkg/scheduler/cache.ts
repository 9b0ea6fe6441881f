/** The nodes with the Pods on them, as the scheduler has to see them: what the API shows plus what it has just decided. */
import type { Node, Pod } from '../api/generated/core-v1.ts';
import type { ClusterView } from './framework.ts';
import { NodeInfo } from './node-info.ts';

/** Kept up to date by events; each costs what changed. */
export class NodeCache implements ClusterView {
  readonly #nodes = new Map<string, NodeInfo>();
  /** By Pod uid: the node it is counted on. */
  readonly #nodeOf = new Map<string, string>();
  readonly #assumed = new Set<string>();
  /** Pods without a node for which room is being made, by node name and uid. */
  readonly #nominated = new Map<string, Map<string, Pod>>();
  readonly #nominatedOn = new Map<string, string>();
  #view: readonly NodeInfo[] | undefined;

  /** The nodes that have a Node object. */
  get nodes(): readonly NodeInfo[] {
    this.#view ??= [...this.#nodes.values()].filter(({ node }) => node !== undefined);
    return this.#view;
  }

  get(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  nominated(nodeName: string): readonly Pod[] {
    const pods = this.#nominated.get(nodeName);
    return pods === undefined ? [] : [...pods.values()];
  }

  /** The node that `uid` is nominated to, empty when there is none. */
  nominationOf(uid: string): string {
    return this.#nominatedOn.get(uid) ?? '';
  }

  /** Notes that room is being made for `pod` on `nodeName`; empty: nowhere. */
  nominate(pod: Pod, nodeName: string): void {
    const { uid } = pod.metadata;
    const before = this.#nominatedOn.get(uid);
    if (before !== undefined) {
      const pods = this.#nominated.get(before);
      pods?.delete(uid);
      if (pods?.size === 0) this.#nominated.delete(before);
      this.#nominatedOn.delete(uid);
    }
    if (nodeName === '') return;
    const pods = this.#nominated.get(nodeName) ?? new Map<string, Pod>();
    this.#nominated.set(nodeName, pods.set(uid, pod));
    this.#nominatedOn.set(uid, nodeName);
  }

  setNode(node: Node): void {
    const info = this.#info(node.metadata.name);
    if (info.node === undefined) this.#view = undefined;
    info.node = node;
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    info.node = undefined;
    this.#view = undefined;
    this.#dropIfEmpty(info);
  }

  /** Counts `pod` on `nodeName` before the API shows it there. */
  assume(pod: Pod, nodeName: string): void {
    this.#place(pod, nodeName);
    this.#assumed.add(pod.metadata.uid);
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  /** The binding failed: the Pod is not there after all. */
  forget(uid: string): void {
    if (this.#assumed.has(uid)) this.removePod(uid);
  }

  /** A Pod as the API shows it on its node. */
  setPod(pod: Pod): void {
    this.#assumed.delete(pod.metadata.uid);
    this.#place(pod, pod.spec.nodeName ?? '');
  }

  removePod(uid: string): void {
    this.#assumed.delete(uid);
    const info = this.#nodes.get(this.#nodeOf.get(uid) ?? '');
    this.#nodeOf.delete(uid);
    if (info === undefined) return;
    info.removePod(uid);
    this.#dropIfEmpty(info);
  }

  #place(pod: Pod, nodeName: string): void {
    const { uid } = pod.metadata;
    if (this.#nodeOf.get(uid) !== nodeName) this.removePod(uid);
    this.#nodeOf.set(uid, nodeName);
    this.#info(nodeName).addPod(pod);
  }

  #info(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (info === undefined) {
      info = new NodeInfo(name);
      this.#nodes.set(name, info);
    }
    return info;
  }

  #dropIfEmpty(info: NodeInfo): void {
    if (info.node === undefined && info.podCount === 0) this.#nodes.delete(info.name);
  }
}

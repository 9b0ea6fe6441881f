import type { Pod } from '../api/generated/core-v1.ts';
import type { ClusterView, NodeFilter, Refusal } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import { podPriority } from './pod-priority.ts';

export interface NamedFilter {
  /** Of the plugin. */
  readonly name: string;
  readonly filter: NodeFilter;
}

/** Who refused a node, and why. */
export interface NodeRefusal {
  readonly plugin: string;
  readonly refusal: Refusal;
}

/** A node on which Pods are taken off and put back to see what would be. */
export interface NodeTrial {
  /** A copy: changes do not show elsewhere. */
  readonly node: NodeInfo;
  add(pod: Pod): void;
  remove(pod: Pod): void;
  check(): NodeRefusal | undefined;
}

/** The filters of all plugins as they were prepared for one Pod. */
export class NodeFilters {
  readonly #pod: Pod;
  readonly #cluster: ClusterView;
  readonly #filters: readonly NamedFilter[];

  constructor(pod: Pod, cluster: ClusterView, filters: readonly NamedFilter[]) {
    this.#pod = pod;
    this.#cluster = cluster;
    this.#filters = filters;
  }

  /**
   * Why the Pod cannot go to `node`, or undefined. Pods of at least its priority that are nominated to the node count
   * as being there; and as they may never come, the Pod has to fit without them as well (it may want to be near them).
   */
  check(node: NodeInfo): NodeRefusal | undefined {
    const { uid } = this.#pod.metadata;
    const priority = podPriority(this.#pod);
    const others = (this.#cluster.nominated?.(node.name) ?? []).filter(
      (pod) => pod.metadata.uid !== uid && podPriority(pod) >= priority,
    );
    if (others.length > 0) {
      const refusal = this.trial(node, (trial) => {
        for (const pod of others) trial.add(pod);
        return this.#checkPlainly(trial.node);
      });
      if (refusal !== undefined) return refusal;
    }
    return this.#checkPlainly(node);
  }

  /** Lets `attempt` change a copy of `node`; afterwards the filters know nothing of it. */
  trial<R>(node: NodeInfo, attempt: (trial: NodeTrial) => R): R {
    const copy = node.clone();
    const undo: (() => void)[] = [];
    const added = (pod: Pod): void => {
      for (const { filter } of this.#filters) filter.podAdded?.(pod, copy);
    };
    const removed = (pod: Pod): void => {
      for (const { filter } of this.#filters) filter.podRemoved?.(pod, copy);
    };
    const trial: NodeTrial = {
      node: copy,
      add: (pod) => {
        copy.addPod(pod);
        added(pod);
        undo.push(() => removed(pod));
      },
      remove: (pod) => {
        copy.removePod(pod.metadata.uid);
        removed(pod);
        undo.push(() => added(pod));
      },
      check: () => this.check(copy),
    };
    try {
      return attempt(trial);
    } finally {
      for (const step of undo.reverse()) step();
    }
  }

  #checkPlainly(node: NodeInfo): NodeRefusal | undefined {
    for (const { name, filter } of this.#filters) {
      const refusal = filter.check(node);
      if (refusal !== undefined) return { plugin: name, refusal };
    }
    return undefined;
  }
}

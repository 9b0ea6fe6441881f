/**
 * The scheduling framework: what plugins see and what they may say, by upstream's extension points. A plugin is asked
 * once per Pod (`preFilter`, `preScore`) and answers with a function over nodes; what it computed for the Pod lives in
 * that function's closure. Deciding is synchronous and reads memory only: nothing can change underneath it.
 */
import type { Node, Pod } from '../api/generated/core-v1.ts';
import type { KubeObject, ResourceType } from '../api/types.ts';
import type { NodeFilters } from './node-filters.ts';
import type { NodeInfo } from './node-info.ts';

export const MAX_NODE_SCORE = 100;

/** Why a plugin refuses a node, or all of them. */
export interface Refusal {
  /** Whether evicting other Pods from the node could change the plugin's mind. */
  readonly resolvable: boolean;
  /** As they appear in events: `Insufficient cpu`. */
  readonly reasons: readonly string[];
}

/** All nodes that have a Node object, in a fixed order. */
export interface ClusterView {
  readonly nodes: readonly NodeInfo[];
  /** Unscheduled Pods for which room is being made on the node: it counts as taken for Pods of no higher priority. */
  nominated?(nodeName: string): readonly Pod[];
}

export interface NodeFilter {
  /** When set, no other nodes come into question. */
  readonly onlyNodes?: ReadonlySet<string>;
  /** Undefined: the node will do. */
  check(node: NodeInfo): Refusal | undefined;
  /** Another Pod is tried on `node` (it is counted there already): brings what was computed before up to date. */
  podAdded?(pod: Pod, node: NodeInfo): void;
  /** Another Pod is taken off `node` for a trial; the exact inverse of `podAdded`. */
  podRemoved?(pod: Pod, node: NodeInfo): void;
}

export interface NodeScorer {
  /** Higher is better; without `normalize` between 0 and MAX_NODE_SCORE. */
  score(node: NodeInfo): number;
  /** Brings the scores of all nodes into 0 to MAX_NODE_SCORE. */
  normalize?(scores: readonly number[]): number[];
}

/** Something that changed in the cluster and may make a refused Pod fit. */
export type ClusterEvent =
  | { readonly resource: 'node'; readonly object: Node; readonly old?: Node }
  | { readonly resource: 'pod'; readonly action: 'bound' | 'updated' | 'deleted'; readonly object: Pod }
  | {
      readonly resource: 'other';
      readonly type: ResourceType;
      readonly action: 'added' | 'modified' | 'deleted';
      readonly object: KubeObject;
      readonly old?: KubeObject;
    };

/** Why no node was found. */
export interface Diagnosis {
  readonly nodeCount: number;
  /** A plugin refused the Pod as a whole. */
  readonly preFilter: Refusal | undefined;
  /** By node name. */
  readonly nodes: ReadonlyMap<string, Refusal>;
  /** The plugins that refused; their `mayFitAfter` decides when to try again. */
  readonly plugins: ReadonlySet<string>;
}

/** An attempt at finding a node that found none. */
export interface FailedAttempt {
  readonly pod: Pod;
  readonly cluster: ClusterView;
  readonly diagnosis: Diagnosis;
  /** The filters as they were prepared for this Pod; undefined where a plugin refused the Pod as a whole. */
  readonly filters: NodeFilters | undefined;
}

export interface PostFilterResult {
  /** The node that room is being made on; empty: nowhere any more; undefined: what was nominated before stays. */
  readonly nominatedNodeName?: string;
  /** Told after the reasons of the failed filters; empty when room is being made. */
  readonly message: string;
  /** Makes the room. It runs in the background; the Pod waits for the events that come of it. */
  act?(): Promise<void>;
}

export interface Plugin {
  readonly name: string;
  /** Resources whose objects the plugin reads: known in full before the first Pod is scheduled; changes are events. */
  readonly watches?: readonly ResourceType[];
  /** Says what keeps the Pod from being queued at all. */
  preEnqueue?(pod: Pod): Refusal | undefined;
  /** Negative when `a` is to be scheduled before `b`. */
  compare?(a: QueuedPod, b: QueuedPod): number;
  /** A filter for this Pod, a refusal of all nodes, or undefined when the plugin has nothing to say about it. */
  preFilter?(pod: Pod, cluster: ClusterView): NodeFilter | Refusal | undefined;
  /** After all nodes were refused: tries to make room. */
  postFilter?(attempt: FailedAttempt): PostFilterResult | undefined;
  /** A scorer for this Pod among `nodes`, the ones that will do; undefined when the plugin does not mind. */
  preScore?(pod: Pod, cluster: ClusterView, nodes: readonly NodeInfo[]): NodeScorer | undefined;
  /** Takes what the Pod will need on `node`; throws when it cannot. What it decides stays with the plugin, by uid. */
  reserve?(pod: Pod, node: NodeInfo): void;
  /** Gives back what `reserve` took. Must not throw. */
  unreserve?(pod: Pod, node: NodeInfo): void;
  /** What has to be done before the Pod can start on the node (volumes). `signal` aborts when the scheduler stops. */
  preBind?(pod: Pod, nodeName: string, signal: AbortSignal): Promise<void>;
  /** Binds the Pod; the first plugin that has this does it. */
  bind?(pod: Pod, nodeName: string): Promise<void>;
  /** Whether a Pod this plugin refused may fit after `event`; absent: after any. */
  mayFitAfter?(event: ClusterEvent, pod: Pod): boolean;
}

/** A Pod in the queue. */
export interface QueuedPod {
  readonly pod: Pod;
  /** When it came into the queue, in milliseconds since the epoch. */
  readonly since: number;
}

export interface WeightedPlugin {
  readonly plugin: Plugin;
  /** What its scores count. */
  readonly weight: number;
}

export const isRefusal = (answer: NodeFilter | Refusal | undefined): answer is Refusal =>
  answer !== undefined && 'reasons' in answer;

/** Scales scores so that the highest becomes MAX_NODE_SCORE; `reverse` makes the lowest the best. */
export function scaleScores(scores: readonly number[], reverse: boolean): number[] {
  const most = scores.reduce((a, b) => Math.max(a, b), 0);
  if (most === 0) return scores.map(() => (reverse ? MAX_NODE_SCORE : 0));
  return scores.map((score) => {
    const scaled = Math.floor((MAX_NODE_SCORE * score) / most);
    return reverse ? MAX_NODE_SCORE - scaled : scaled;
  });
}

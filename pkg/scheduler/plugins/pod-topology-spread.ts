import type { Pod } from '../../api/generated/core-v1.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { LabelMatcher } from '../../apimachinery/labels.ts';
import {
  type ClusterEvent,
  type ClusterView,
  MAX_NODE_SCORE,
  type NodeFilter,
  type NodeScorer,
  type Plugin,
  type Refusal,
} from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import {
  countMatching,
  counts,
  defaultConstraints,
  HOSTNAME,
  hasAllKeys,
  ownConstraints,
  type SpreadConstraint,
} from '../spread-constraints.ts';

const SKEWED: Refusal = { resolvable: true, reasons: ["node(s) didn't match pod topology spread constraints"] };
const NO_LABEL: Refusal = {
  resolvable: false,
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
};

/**
 * Spreads Pods evenly over nodes, zones and other places. `defaultSelector` selects the Pods that belong together with
 * one that brings no constraints of its own.
 */
export function podTopologySpread(defaultSelector: (pod: Pod) => LabelMatcher): Plugin {
  return {
    name: 'PodTopologySpread',
    preFilter: filterFor,
    preScore: (pod, cluster, nodes) => scorerFor(pod, cluster, nodes, defaultSelector),
    mayFitAfter: mayFit,
  };
}

/** Matching Pods by place, for one constraint, and the fewest that any place has. */
class Domains {
  readonly #counts = new Map<string, number>();
  #fewest: number | undefined;

  add(value: string, amount: number): void {
    this.#counts.set(value, this.get(value) + amount);
    this.#fewest = undefined;
  }

  get(value: string): number {
    return this.#counts.get(value) ?? 0;
  }

  /** Without any place there is nothing to be even with. */
  fewest(minDomains: number): number {
    if (this.#counts.size > 0 && this.#counts.size < minDomains) return 0;
    if (this.#fewest === undefined) {
      this.#fewest = Number.MAX_SAFE_INTEGER;
      for (const count of this.#counts.values()) this.#fewest = Math.min(this.#fewest, count);
    }
    return this.#fewest;
  }
}

function filterFor(pod: Pod, cluster: ClusterView): NodeFilter | undefined {
  const constraints = ownConstraints(pod, 'DoNotSchedule');
  if (constraints.length === 0) return undefined;
  const { namespace, labels } = pod.metadata;
  const rules = constraints.map((constraint) => ({
    constraint,
    domains: new Domains(),
    self: constraint.selector.matches(labels) ? 1 : 0,
  }));
  for (const info of cluster.nodes) {
    const { node } = info;
    if (node === undefined || !hasAllKeys(node, constraints)) continue;
    for (const { constraint, domains } of rules) {
      if (!constraint.includes(node)) continue;
      domains.add(
        node.metadata.labels?.[constraint.topologyKey] ?? '',
        countMatching(info, constraint.selector, namespace),
      );
    }
  }
  function update(other: Pod, { node }: NodeInfo, amount: number): void {
    if (node === undefined || !hasAllKeys(node, constraints)) return;
    for (const { constraint, domains } of rules) {
      if (constraint.selector.isEverything || !counts(other, constraint.selector, namespace)) continue;
      if (constraint.includes(node)) domains.add(node.metadata.labels?.[constraint.topologyKey] ?? '', amount);
    }
  }
  return {
    check({ node }) {
      for (const { constraint, domains, self } of rules) {
        const value = node?.metadata.labels?.[constraint.topologyKey];
        if (value === undefined) return NO_LABEL;
        const skew = domains.get(value) + self - domains.fewest(constraint.minDomains);
        if (skew > constraint.maxSkew) return SKEWED;
      }
      return undefined;
    },
    podAdded: (other, node) => update(other, node, 1),
    podRemoved: (other, node) => update(other, node, -1),
  };
}

function scorerFor(
  pod: Pod,
  cluster: ClusterView,
  nodes: readonly NodeInfo[],
  defaultSelector: (pod: Pod) => LabelMatcher,
): NodeScorer | undefined {
  const own = (pod.spec.topologySpreadConstraints ?? []).length > 0;
  const constraints: readonly SpreadConstraint[] = own
    ? ownConstraints(pod, 'ScheduleAnyway')
    : defaultConstraints(pod, defaultSelector(pod));
  if (constraints.length === 0) return undefined;
  const { namespace } = pod.metadata;
  /** Nodes outside of one of the Pod's own topologies; the default constraints take nodes as they come. */
  const ignored = new Set<string>();
  const places = constraints.map(() => new Map<string, number>());
  for (const { name, node } of nodes) {
    if (node === undefined) continue;
    if (own && !hasAllKeys(node, constraints)) {
      ignored.add(name);
      continue;
    }
    constraints.forEach(({ topologyKey }, index) => {
      const value = node.metadata.labels?.[topologyKey];
      if (topologyKey !== HOSTNAME && value !== undefined) places[index]?.set(value, 0);
    });
  }
  // Many small places even out by themselves: each counts the less the more there are.
  const weights = constraints.map(({ topologyKey }, index) =>
    Math.log((topologyKey === HOSTNAME ? nodes.length - ignored.size : (places[index]?.size ?? 0)) + 2),
  );
  for (const info of cluster.nodes) {
    const { node } = info;
    if (node === undefined || (own && !hasAllKeys(node, constraints))) continue;
    constraints.forEach((constraint, index) => {
      const value = node.metadata.labels?.[constraint.topologyKey];
      const before = value === undefined ? undefined : places[index]?.get(value);
      if (value === undefined || before === undefined || !constraint.includes(node)) return;
      places[index]?.set(value, before + countMatching(info, constraint.selector, namespace));
    });
  }
  const order = nodes.map(({ name }) => name);
  return {
    score(info) {
      if (ignored.has(info.name)) return 0;
      let sum = 0;
      constraints.forEach(({ topologyKey, maxSkew, selector }, index) => {
        const value = info.node?.metadata.labels?.[topologyKey];
        if (value === undefined) return;
        const count =
          topologyKey === HOSTNAME ? countMatching(info, selector, namespace) : (places[index]?.get(value) ?? 0);
        sum += count * (weights[index] ?? 0) + (maxSkew - 1);
      });
      return Math.round(sum);
    },
    normalize(raw) {
      const counted = raw.filter((_, index) => !ignored.has(order[index] ?? ''));
      const least = Math.min(...counted);
      const most = Math.max(...counted, 0);
      return raw.map((score, index) => {
        if (ignored.has(order[index] ?? '')) return 0;
        return most === 0 ? MAX_NODE_SCORE : Math.trunc((MAX_NODE_SCORE * (most + least - score)) / most);
      });
    },
  };
}

function mayFit(event: ClusterEvent, pod: Pod): boolean {
  if (event.resource === 'other') return false;
  const constraints = ownConstraints(pod, 'DoNotSchedule');
  if (event.resource === 'pod') {
    if (event.object.metadata.namespace !== pod.metadata.namespace) return false;
    if (event.action === 'updated') return true;
    return constraints.some(({ selector }) => selector.matches(event.object.metadata.labels));
  }
  return (
    !deepEqual(event.old?.metadata.labels ?? 'new', event.object.metadata.labels ?? {}) ||
    !deepEqual(event.old?.spec.taints ?? [], event.object.spec.taints ?? [])
  );
}

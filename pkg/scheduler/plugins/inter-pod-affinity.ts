import type { Pod } from '../../api/generated/core-v1.ts';
import { namespaces } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import {
  type AffinityTerm,
  type AffinityTerms,
  affinityTermsOf,
  type NamespaceLabels,
  termMatches,
} from '../affinity-terms.ts';
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
import { TopologyCounts } from '../topology-counts.ts';

/** What a Pod that has to be near others counts for when one of those is to be placed. */
const HARD_AFFINITY_WEIGHT = 1;

const AFFINITY: Refusal = { resolvable: false, reasons: ["node(s) didn't match pod affinity rules"] };
const ANTI_AFFINITY: Refusal = { resolvable: true, reasons: ["node(s) didn't match pod anti-affinity rules"] };
const EXISTING: Refusal = { resolvable: true, reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"] };

/** Keeps Pods near others or away from them, as they or the others ask for; required and preferred. */
export function interPodAffinity(namespaceLabels: NamespaceLabels): Plugin {
  return {
    name: 'InterPodAffinity',
    watches: [namespaces],
    preFilter: (pod, cluster) => filterFor(pod, cluster, namespaceLabels),
    preScore: (pod, cluster) => scorerFor(pod, cluster, namespaceLabels),
    mayFitAfter: (event, pod) => mayFit(event, pod, namespaceLabels),
  };
}

function filterFor(pod: Pod, cluster: ClusterView, namespaceLabels: NamespaceLabels): NodeFilter | undefined {
  const { requiredAffinity, requiredAntiAffinity } = affinityTermsOf(pod);
  /** How many Pods there do not want to be near this one. */
  const repelling = new TopologyCounts();
  /** How many there match all terms of the affinity. */
  const wanted = new TopologyCounts();
  /** How many there match a term of the anti-affinity. */
  const unwanted = new TopologyCounts();
  const matchesAll = (other: Pod): boolean =>
    requiredAffinity.every((term) => termMatches(term, other, namespaceLabels));

  function countRepelling(other: Pod, node: NodeInfo, amount: number): void {
    for (const term of affinityTermsOf(other).requiredAntiAffinity) {
      if (termMatches(term, pod, namespaceLabels)) repelling.add(term.topologyKey, node.node?.metadata.labels, amount);
    }
  }
  function countOwn(other: Pod, node: NodeInfo, amount: number): void {
    const labels = node.node?.metadata.labels;
    if (requiredAffinity.length > 0 && matchesAll(other)) {
      for (const { topologyKey } of requiredAffinity) wanted.add(topologyKey, labels, amount);
    }
    for (const term of requiredAntiAffinity) {
      if (termMatches(term, other, namespaceLabels)) unwanted.add(term.topologyKey, labels, amount);
    }
  }

  const choosy = requiredAffinity.length > 0 || requiredAntiAffinity.length > 0;
  for (const node of cluster.nodes) {
    for (const other of node.podsWithAffinity()) countRepelling(other, node, 1);
    if (choosy) for (const other of node.pods()) countOwn(other, node, 1);
  }
  const nominees = cluster.nodes.some(({ name }) => (cluster.nominated?.(name).length ?? 0) > 0);
  if (!choosy && repelling.isEmpty && !nominees) return undefined;

  function nearWanted(labels: Readonly<Record<string, string>>): boolean {
    if (requiredAffinity.some(({ topologyKey }) => labels[topologyKey] === undefined)) return false;
    if (requiredAffinity.every(({ topologyKey }) => wanted.get(topologyKey, labels[topologyKey] ?? '') > 0))
      return true;
    // The first of a group of Pods that want to be together has to go somewhere.
    return wanted.isEmpty && matchesAll(pod);
  }

  return {
    check({ node }) {
      const labels = node?.metadata.labels ?? {};
      if (requiredAffinity.length > 0 && !nearWanted(labels)) return AFFINITY;
      const near = requiredAntiAffinity.some(
        ({ topologyKey }) => unwanted.get(topologyKey, labels[topologyKey] ?? '') > 0,
      );
      if (near) return ANTI_AFFINITY;
      return repelling.anyPositive(labels) ? EXISTING : undefined;
    },
    podAdded(other, node) {
      countRepelling(other, node, 1);
      countOwn(other, node, 1);
    },
    podRemoved(other, node) {
      countRepelling(other, node, -1);
      countOwn(other, node, -1);
    },
  };
}

function scorerFor(pod: Pod, cluster: ClusterView, namespaceLabels: NamespaceLabels): NodeScorer | undefined {
  const own = affinityTermsOf(pod);
  const choosy = own.preferredAffinity.length > 0 || own.preferredAntiAffinity.length > 0;
  const scores = new TopologyCounts();
  for (const node of cluster.nodes) {
    const labels = node.node?.metadata.labels;
    const count = (terms: readonly AffinityTerm[], about: Pod, factor: number, hard = false): void => {
      for (const term of terms) {
        if (!termMatches(term, about, namespaceLabels)) continue;
        scores.add(term.topologyKey, labels, factor * (hard ? HARD_AFFINITY_WEIGHT : term.weight));
      }
    };
    if (choosy) {
      for (const other of node.pods()) {
        count(own.preferredAffinity, other, 1);
        count(own.preferredAntiAffinity, other, -1);
      }
    }
    for (const other of node.podsWithAffinity()) {
      const theirs: AffinityTerms = affinityTermsOf(other);
      count(theirs.requiredAffinity, pod, 1, true);
      count(theirs.preferredAffinity, pod, 1);
      count(theirs.preferredAntiAffinity, pod, -1);
    }
  }
  if (scores.isEmpty) return undefined;
  return {
    score: ({ node }) => scores.sum(node?.metadata.labels),
    normalize(raw) {
      const least = Math.min(...raw);
      const range = Math.max(...raw) - least;
      return raw.map((score) => (range > 0 ? Math.trunc((MAX_NODE_SCORE * (score - least)) / range) : 0));
    },
  };
}

/** Whether what changed is something the Pod asks to be near of, or something that may have been in its way. */
function mayFit(event: ClusterEvent, pod: Pod, namespaceLabels: NamespaceLabels): boolean {
  if (event.resource === 'node') {
    return !deepEqual(event.old?.metadata.labels ?? 'new', event.object.metadata.labels ?? {});
  }
  if (event.resource === 'other') return event.type.resource === namespaces.resource;
  const own = affinityTermsOf(pod);
  const other = event.object;
  const about = (terms: readonly AffinityTerm[]): boolean =>
    terms.some((term) => termMatches(term, other, namespaceLabels));
  if (event.action === 'bound') return about(own.requiredAffinity);
  if (event.action === 'updated') return true;
  const theirs = affinityTermsOf(other).requiredAntiAffinity;
  return about(own.requiredAntiAffinity) || theirs.some((term) => termMatches(term, pod, namespaceLabels));
}

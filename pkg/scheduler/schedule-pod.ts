/** Finding a node for one Pod: filters, then scores. Pure but for the injected randomness. */
import type { Pod } from '../api/generated/core-v1.ts';
import type { Random } from '../apimachinery/random-name.ts';
import { type ClusterView, type Diagnosis, isRefusal, type Refusal, type WeightedPlugin } from './framework.ts';
import { type NamedFilter, NodeFilters } from './node-filters.ts';
import type { NodeInfo } from './node-info.ts';

/** From this many nodes on, not all are looked at. */
const FEW_NODES = 100;

export interface RankedNode {
  readonly node: NodeInfo;
  readonly score: number;
}

/** Which nodes will do for `pod`, and why the others will not. */
export interface FilterResult {
  readonly feasible: readonly NodeInfo[];
  readonly diagnosis: Diagnosis;
  /** Undefined where a plugin refused the Pod as a whole. */
  readonly filters: NodeFilters | undefined;
}

/** How many feasible nodes are enough: all of up to 100, a shrinking part of more (at least 5 %, at least 100). */
export function enoughNodes(count: number): number {
  if (count < FEW_NODES) return count;
  const percent = Math.max(5, 50 - Math.floor(count / 125));
  return Math.max(FEW_NODES, Math.floor((count * percent) / 100));
}

/**
 * Runs the filters of `plugins` over the nodes, beginning at index `start` and stopping when enough are found. When
 * room was made for the Pod on `nominatedNodeName` and it fits there now, no other node is looked at.
 */
export function filterNodes(
  pod: Pod,
  cluster: ClusterView,
  plugins: readonly WeightedPlugin[],
  start = 0,
  nominatedNodeName = '',
): FilterResult {
  const count = cluster.nodes.length;
  const refused = new Map<string, Refusal>();
  const names = new Set<string>();
  const filters: NamedFilter[] = [];
  for (const { plugin } of plugins) {
    const answer = plugin.preFilter?.(pod, cluster);
    if (isRefusal(answer)) {
      const diagnosis = { nodeCount: count, preFilter: answer, nodes: refused, plugins: new Set([plugin.name]) };
      return { feasible: [], diagnosis, filters: undefined };
    }
    if (answer !== undefined) filters.push({ name: plugin.name, filter: answer });
  }
  const prepared = new NodeFilters(pod, cluster, filters);
  const narrowing = filters.filter(({ filter }) => filter.onlyNodes !== undefined);
  const feasible: NodeInfo[] = [];
  const enough = enoughNodes(count);
  const done = (): FilterResult => ({
    feasible,
    diagnosis: { nodeCount: count, preFilter: undefined, nodes: refused, plugins: names },
    filters: prepared,
  });
  const nominated = nominatedNodeName === '' ? undefined : cluster.nodes.find(({ name }) => name === nominatedNodeName);
  if (
    nominated !== undefined &&
    narrowing.every(({ filter }) => filter.onlyNodes?.has(nominated.name)) &&
    prepared.check(nominated) === undefined
  ) {
    feasible.push(nominated);
    return done();
  }
  for (let index = 0; index < count && feasible.length < enough; index++) {
    const node = cluster.nodes[(start + index) % count];
    if (node === undefined) continue;
    const excluding = narrowing.filter(({ filter }) => filter.onlyNodes?.has(node.name) === false);
    if (excluding.length > 0) {
      for (const { name } of excluding) names.add(name);
      const list = narrowing.map(({ name }) => name).sort();
      const reason = `node(s) didn't satisfy plugin(s) [${list.join(' ')}]`;
      refused.set(node.name, { resolvable: false, reasons: [reason] });
      continue;
    }
    const answer = prepared.check(node);
    if (answer === undefined) {
      feasible.push(node);
    } else {
      names.add(answer.plugin);
      refused.set(node.name, answer.refusal);
    }
  }
  return done();
}

/** `nodes` with their weighted scores, best first; equals stay in order. */
export function rankNodes(
  pod: Pod,
  cluster: ClusterView,
  nodes: readonly NodeInfo[],
  plugins: readonly WeightedPlugin[],
): RankedNode[] {
  const totals = nodes.map(() => 0);
  for (const { plugin, weight } of plugins) {
    const scorer = plugin.preScore?.(pod, cluster, nodes);
    if (scorer === undefined) continue;
    const raw = nodes.map((node) => scorer.score(node));
    const scores = scorer.normalize?.(raw) ?? raw;
    scores.forEach((score, index) => {
      totals[index] = (totals[index] ?? 0) + weight * score;
    });
  }
  return nodes.map((node, index) => ({ node, score: totals[index] ?? 0 })).sort((a, b) => b.score - a.score);
}

/** One of the best nodes of `ranked`, chosen by chance among equals. */
export function pickNode(ranked: readonly RankedNode[], random: Random): NodeInfo | undefined {
  const best = ranked.filter(({ score }) => score === ranked[0]?.score);
  return best[Math.floor(random() * best.length)]?.node;
}

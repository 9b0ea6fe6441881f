import type { Node } from '../../api/generated/core-v1.ts';

/** Labels that tell where a node is. */
const TOPOLOGY = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/** What the Pods of a node may know of its place, as labels of their own (KEP-4742). */
export function topologyLabelsOf(node: Node | undefined): Record<string, string> {
  const labels = Object.entries(node?.metadata.labels ?? {});
  return Object.fromEntries(labels.filter(([key]) => TOPOLOGY.includes(key)));
}

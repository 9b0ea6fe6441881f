/** Which nodes a Pod or a volume asks for: nodeSelector and node affinity. */
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../api/generated/core-v1.ts';
import { type LabelMatcher, labelMapMatcher } from './labels.ts';

/** What is said of a node that a Pod does not ask for. */
export const NODE_NOT_WANTED = "node(s) didn't match Pod's node affinity/selector";

const INTEGER = /^[+-]?\d+$/;

function meets({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const limit = values[0];
      if (value === undefined || limit === undefined || !INTEGER.test(value) || !INTEGER.test(limit)) return false;
      return operator === 'Gt' ? BigInt(value) > BigInt(limit) : BigInt(value) < BigInt(limit);
    }
    default:
      return false;
  }
}

/** Whether all requirements of `term` hold on `node`; an empty term matches nothing. */
export function nodeMatchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => meets(requirement, node.metadata.labels?.[requirement.key])) &&
    matchFields.every((requirement) => requirement.key === 'metadata.name' && meets(requirement, node.metadata.name))
  );
}

/** The predicate that a Pod's nodeSelector and required node affinity make together. */
export function requiredNodeMatcher(pod: Pod): (node: Node) => boolean {
  const labels: LabelMatcher = labelMapMatcher(pod.spec.nodeSelector);
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return (node) =>
    labels.matches(node.metadata.labels) &&
    (required === undefined || required.nodeSelectorTerms.some((term) => nodeMatchesTerm(term, node)));
}

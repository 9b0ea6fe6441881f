import type { NodeSelectorTerm, Pod } from '../../api/generated/core-v1.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { NODE_NOT_WANTED, nodeMatchesTerm, requiredNodeMatcher } from '../../apimachinery/node-selector.ts';
import { type Plugin, scaleScores } from '../framework.ts';

/** Honours nodeSelector and node affinity, required and preferred. */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  preFilter(pod) {
    const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined && pod.spec.nodeSelector === undefined) return undefined;
    const matches = requiredNodeMatcher(pod);
    const onlyNodes = namedNodes(required?.nodeSelectorTerms);
    return {
      ...(onlyNodes && { onlyNodes }),
      check: ({ node }) =>
        node !== undefined && matches(node) ? undefined : { resolvable: false, reasons: [NODE_NOT_WANTED] },
    };
  },
  preScore(pod: Pod) {
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    return {
      score: ({ node }) =>
        node === undefined
          ? 0
          : preferred.reduce((sum, term) => sum + (nodeMatchesTerm(term.preference, node) ? term.weight : 0), 0),
      normalize: (scores) => scaleScores(scores, false),
    };
  },
  mayFitAfter: (event) =>
    event.resource === 'node' && !deepEqual(event.old?.metadata.labels ?? 'new', event.object.metadata.labels ?? {}),
};

/** The node names, if every term fixes them (as the Pods of a DaemonSet do): only these need looking at. */
function namedNodes(terms: readonly NodeSelectorTerm[] | undefined): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const { matchFields = [] } of terms ?? []) {
    const byName = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (byName === undefined) return undefined;
    for (const name of byName.values ?? []) names.add(name);
  }
  return names.size > 0 ? names : undefined;
}

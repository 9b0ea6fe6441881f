import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { tolerates, untolerated } from '../../apimachinery/taints.ts';
import { type Plugin, scaleScores } from '../framework.ts';

const EFFECTS = ['NoSchedule', 'NoExecute'];

/** Keeps Pods off nodes with taints they do not tolerate, and prefers nodes with fewer PreferNoSchedule ones. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  preFilter: (pod) => ({
    check: ({ node }) =>
      untolerated(node?.spec.taints, pod.spec.tolerations, EFFECTS) === undefined
        ? undefined
        : { resolvable: false, reasons: ['node(s) had untolerated taint(s)'] },
  }),
  preScore(pod) {
    const tolerations = (pod.spec.tolerations ?? []).filter(({ effect }) => !effect || effect === 'PreferNoSchedule');
    return {
      score: ({ node }) =>
        (node?.spec.taints ?? []).filter(
          (taint) =>
            taint.effect === 'PreferNoSchedule' && !tolerations.some((toleration) => tolerates(toleration, taint)),
        ).length,
      normalize: (scores) => scaleScores(scores, true),
    };
  },
  mayFitAfter: (event) =>
    event.resource === 'node' && !deepEqual(event.old?.spec.taints ?? 'new', event.object.spec.taints ?? []),
};

import { podRequests } from '../../apimachinery/pod-requests.ts';
import { MAX_NODE_SCORE, type Plugin } from '../framework.ts';

/** Prefers nodes whose CPU and memory would be used to the same degree. Pods that ask for nothing do not matter. */
export const nodeResourcesBalancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  preScore(pod) {
    const requests = podRequests(pod);
    if ((requests.get('cpu') ?? 0) === 0 && (requests.get('memory') ?? 0) === 0) return undefined;
    return {
      score(node) {
        const used = ['cpu', 'memory'].flatMap((name) => {
          const total = node.allocatable.get(name) ?? 0;
          if (total === 0) return [];
          return [Math.min(1, ((node.requested.get(name) ?? 0) + (requests.get(name) ?? 0)) / total)];
        });
        // The standard deviation of two values is half their difference.
        const [first = 0, second = first] = used;
        return Math.floor((1 - Math.abs(first - second) / 2) * MAX_NODE_SCORE);
      },
    };
  },
};

import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { type Amounts, podRequests } from '../../apimachinery/pod-requests.ts';
import { type Shortage, shortages } from '../../apimachinery/resource-fit.ts';
import { MAX_NODE_SCORE, type Plugin } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';

const SCORED = ['cpu', 'memory'];

/** Keeps Pods off nodes without room for their requests, and prefers the emptier nodes (LeastAllocated). */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  preFilter(pod) {
    const requests = podRequests(pod);
    return {
      check(node) {
        const found = shortages(requests, node);
        if (found.length === 0) return undefined;
        return { resolvable: !found.some(isOfEmptyNode), reasons: found.map(({ reason }) => reason) };
      },
    };
  },
  preScore(pod) {
    const requests = podRequests(pod, true);
    return { score: (node) => leastAllocated(requests, node) };
  },
  mayFitAfter(event) {
    if (event.resource === 'pod') return event.action !== 'bound';
    if (event.resource !== 'node') return false;
    return !deepEqual(event.old?.status.allocatable, event.object.status.allocatable);
  },
};

/** Whether even the node without other Pods would lack it: no eviction helps. */
const isOfEmptyNode = ({ resource, requested, capacity }: Shortage): boolean =>
  resource !== 'pods' && requested > capacity;

function leastAllocated(requests: Amounts, node: NodeInfo): number {
  let sum = 0;
  let weights = 0;
  for (const name of SCORED) {
    const total = node.allocatable.get(name) ?? 0;
    if (total === 0) continue;
    const used = (node.requestedForScore.get(name) ?? 0) + (requests.get(name) ?? 0);
    sum += used > total ? 0 : Math.floor(((total - used) * MAX_NODE_SCORE) / total);
    weights++;
  }
  return weights === 0 ? 0 : Math.floor(sum / weights);
}

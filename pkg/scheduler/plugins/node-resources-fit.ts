import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { MAX_NODE_SCORE, type Plugin } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import { type Amounts, podRequests } from '../resources.ts';

const SCORED = ['cpu', 'memory'];
/** The order in which shortages are told. */
const FIRST = ['cpu', 'memory', 'ephemeral-storage'];

/** Keeps Pods off nodes without room for their requests, and prefers the emptier nodes (LeastAllocated). */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  preFilter(pod) {
    const requests = podRequests(pod);
    return {
      check(node) {
        const { reasons, resolvable } = shortages(requests, node);
        return reasons.length === 0 ? undefined : { resolvable, reasons };
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

/** What `node` lacks for `requests`; not resolvable where even the empty node would lack it. */
function shortages(requests: Amounts, node: NodeInfo): { reasons: string[]; resolvable: boolean } {
  const reasons: string[] = [];
  let resolvable = true;
  const mostPods = node.allocatable.get('pods') ?? 0;
  if (node.podCount + 1 > mostPods) reasons.push('Too many pods');
  const names = [...FIRST, ...[...requests.keys()].filter((name) => !FIRST.includes(name))];
  for (const name of names) {
    const wanted = requests.get(name) ?? 0;
    const total = node.allocatable.get(name) ?? 0;
    if (wanted === 0 || wanted <= total - (node.requested.get(name) ?? 0)) continue;
    reasons.push(`Insufficient ${name}`);
    if (wanted > total) resolvable = false;
  }
  return { reasons, resolvable };
}

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

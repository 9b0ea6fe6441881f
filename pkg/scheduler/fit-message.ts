/** The text that tells why a Pod cannot be scheduled, as upstream's FitError has it. */
import type { Diagnosis, Refusal } from './framework.ts';

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function countReasons(nodeCount: number, refusals: Iterable<Refusal>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of refusals) {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodeCount} nodes are available${texts.length > 0 ? `: ${texts.join(', ')}.` : ''}`;
}

/** The message of a FailedScheduling event; `postFilter` is what the attempt to make room had to say. */
export function fitMessage(diagnosis: Diagnosis, postFilter = ''): string {
  if (diagnosis.nodeCount === 0) return 'no nodes available to schedule pods';
  const text =
    diagnosis.preFilter === undefined
      ? countReasons(diagnosis.nodeCount, diagnosis.nodes.values())
      : `0/${diagnosis.nodeCount} nodes are available: ${diagnosis.preFilter.reasons.join(', ')}.`;
  return postFilter === '' ? text : `${text} ${postFilter}`;
}

import type { Plugin } from '../framework.ts';

/** Higher priority first, then first come, first served. */
export const prioritySort: Plugin = {
  name: 'PrioritySort',
  compare: (a, b) => (b.pod.spec.priority ?? 0) - (a.pod.spec.priority ?? 0) || a.since - b.since,
};

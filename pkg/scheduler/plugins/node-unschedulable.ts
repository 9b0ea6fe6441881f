import { untolerated } from '../../apimachinery/taints.ts';
import type { Plugin } from '../framework.ts';

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** Keeps Pods off cordoned nodes, unless they tolerate the taint that goes with it. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  preFilter: (pod) => ({
    check: ({ node }) =>
      node?.spec.unschedulable && untolerated([TAINT], pod.spec.tolerations, ['NoSchedule']) !== undefined
        ? { resolvable: false, reasons: ['node(s) were unschedulable'] }
        : undefined,
  }),
  mayFitAfter: (event) => event.resource === 'node' && !event.object.spec.unschedulable,
};

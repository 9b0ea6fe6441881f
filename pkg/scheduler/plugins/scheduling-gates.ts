import type { Plugin } from '../framework.ts';

/** Holds Pods back whose scheduling gates are closed. */
export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  preEnqueue(pod) {
    const gates = (pod.spec.schedulingGates ?? []).map(({ name }) => name);
    if (gates.length === 0) return undefined;
    return { resolvable: false, reasons: [`waiting for scheduling gates: [${gates.join(' ')}]`] };
  },
  // Only a change of the Pod itself opens a gate.
  mayFitAfter: () => false,
};

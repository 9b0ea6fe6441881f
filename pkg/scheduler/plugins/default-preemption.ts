import { countReasons } from '../fit-message.ts';
import type { Diagnosis, Plugin, Refusal } from '../framework.ts';

const NOT_HELPFUL: Refusal = { resolvable: false, reasons: ['Preemption is not helpful for scheduling'] };
const NO_VICTIMS: Refusal = { resolvable: false, reasons: ['No preemption victims found for incoming pod'] };

/** What upstream's plugin for resource claims adds to every such message; kedge deallocates no claims yet. */
const NO_CLAIMS = 'no new claims to deallocate';

/** Says what evicting Pods of lower priority could do for a Pod that fits nowhere. It evicts none yet. */
export const defaultPreemption: Plugin = {
  name: 'DefaultPreemption',
  postFilter({ pod, diagnosis }) {
    if (pod.spec.preemptionPolicy === 'Never') {
      return { message: `${NO_CLAIMS}, preemption: not eligible due to preemptionPolicy=Never.` };
    }
    return { message: `${NO_CLAIMS}, preemption: ${countReasons(diagnosis.nodeCount, outcomes(diagnosis))}` };
  },
};

function outcomes({ nodes }: Diagnosis): Refusal[] {
  const refusals = [...nodes.values()];
  // Where nothing can be gained anywhere, upstream does not look at single nodes.
  if (refusals.every(({ resolvable }) => !resolvable)) return refusals.map(() => NOT_HELPFUL);
  return refusals.map(({ resolvable }) => (resolvable ? NO_VICTIMS : NOT_HELPFUL));
}

import type { PodDisruptionBudgetStatus } from '../../api/generated/policy-v1.ts';
import { setCondition } from '../../apimachinery/object-meta.ts';

/** `status` with the condition DisruptionAllowed that follows from its count; `now` is a formatted time. */
export function withDisruptionAllowed(
  status: PodDisruptionBudgetStatus,
  generation: number | undefined,
  now: string,
): PodDisruptionBudgetStatus {
  const allowed = status.disruptionsAllowed > 0;
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed ? 'True' : 'False',
    reason: allowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    ...(generation !== undefined && { observedGeneration: generation }),
  };
  return { ...status, conditions: [...setCondition(status.conditions, condition, now)] };
}

import type { PodStatus } from '../../api/generated/core-v1.ts';

/** The one address and the list of addresses say the same, in place; of two that differ, the one of old clients holds. */
export function syncPodIPs(status: PodStatus): void {
  const [first] = status.podIPs ?? [];
  if (status.podIP && status.podIP !== first?.ip) status.podIPs = [{ ip: status.podIP }];
  else if (first !== undefined) status.podIP = first.ip;
}

/** A status that a client sent, with what no client can clear (upstream: the status strategy's PrepareForUpdate). */
export function submittedStatus(submitted: PodStatus, old: PodStatus): PodStatus {
  const status = { ...submitted };
  // Kubelets have been known to leave it out.
  if (!status.qosClass && old.qosClass !== undefined) status.qosClass = old.qosClass;
  if (!status.observedGeneration && old.observedGeneration) status.observedGeneration = old.observedGeneration;
  const generations = new Map<string, (number | undefined)[]>();
  for (const { type, observedGeneration } of old.conditions ?? []) {
    generations.set(type, [...(generations.get(type) ?? []), observedGeneration]);
  }
  if (status.conditions === undefined) return status;
  status.conditions = status.conditions.map((condition) => {
    const kept = generations.get(condition.type)?.shift();
    return condition.observedGeneration || !kept ? condition : { ...condition, observedGeneration: kept };
  });
  return status;
}

/** The smallest change that brings a Pod's stored status to what the kubelet has to say. Pure. */
import type { Pod, PodStatus } from '../api/generated/core-v1.ts';
import { deepEqual } from '../apimachinery/deep-equal.ts';
import { KUBELET_CONDITIONS } from './pod-conditions.ts';
import type { KubeletPodStatus } from './status.ts';

/** The fields that are replaced whole. Those of a Pod that no longer apply are taken away. */
const PLAIN_FIELDS = [
  'observedGeneration',
  'phase',
  'message',
  'reason',
  'hostIP',
  'podIP',
  'startTime',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
  'qosClass',
] as const satisfies readonly (keyof KubeletPodStatus)[];

/** Lists that a strategic merge would add to: the marker makes it replace them. */
const MERGED_LISTS = ['podIPs', 'hostIPs'] as const satisfies readonly (keyof KubeletPodStatus)[];

/** `stored` with the kubelet's part replaced by `status`; conditions and fields of others stay. */
export function mergeStatus(stored: PodStatus, status: KubeletPodStatus): PodStatus {
  const foreign = (stored.conditions ?? []).filter(({ type }) => !KUBELET_CONDITIONS.has(type));
  return { ...stored, ...status, conditions: [...(status.conditions ?? []), ...foreign] };
}

/** The body of a strategic merge patch on the status, bound to the Pod's uid; undefined when nothing differs. */
export function statusPatch(pod: Pod, status: KubeletPodStatus): object | undefined {
  const stored = pod.status;
  const body: Record<string, unknown> = {};
  for (const field of PLAIN_FIELDS) {
    if (!deepEqual(stored[field], status[field])) body[field] = status[field] ?? null;
  }
  for (const field of MERGED_LISTS) {
    const wanted = status[field];
    if (wanted !== undefined && !deepEqual(stored[field], wanted)) body[field] = [...wanted, { $patch: 'replace' }];
  }
  const changed = (status.conditions ?? []).flatMap((condition) => {
    const old = stored.conditions?.find(({ type }) => type === condition.type) ?? { type: condition.type };
    if (deepEqual(withoutNulls(old), withoutNulls(condition))) return [];
    // Conditions are merged field by field: a reason that no longer holds has to be taken away.
    const gone = Object.keys(old).filter((field) => !(field in condition));
    return [{ ...condition, ...Object.fromEntries(gone.map((field) => [field, null])) }];
  });
  if (changed.length > 0) body['conditions'] = changed;
  if (Object.keys(body).length === 0) return undefined;
  return { metadata: { uid: pod.metadata.uid }, status: body };
}

/** Servers store a null time by leaving it out or in; both mean the same. */
function withoutNulls(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== null));
}

/** The whole status of a Pod: upstream kubelet's generateAPIPodStatus. Pure. */
import type { PodStatus } from '../api/generated/core-v1.ts';
import { qosClass } from '../apimachinery/qos.ts';
import { formatTime } from '../apimachinery/time.ts';
import { type ContainerStatusInput, containerStatuses } from './container-status.ts';
import { podConditions } from './pod-conditions.ts';
import { isTerminalPhase } from './pod-info.ts';
import { type PodPhase, podPhase } from './pod-phase.ts';

export interface PodStatusInput extends ContainerStatusInput {
  readonly hostIPs: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** No container will run again (the Pod is deleted or done, and they have ended). */
  readonly over: boolean;
  /** The kubelet itself ended the Pod: it is Failed for this reason whatever its containers say. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
}

/** The part of a Pod's status that is the kubelet's: what is not in it belongs to others. */
export type KubeletPodStatus = Pick<
  PodStatus,
  | 'observedGeneration'
  | 'phase'
  | 'conditions'
  | 'message'
  | 'reason'
  | 'hostIP'
  | 'hostIPs'
  | 'podIP'
  | 'podIPs'
  | 'startTime'
  | 'initContainerStatuses'
  | 'containerStatuses'
  | 'ephemeralContainerStatuses'
  | 'qosClass'
>;

function podIPs(input: PodStatusInput): readonly string[] {
  if (input.pod.spec.hostNetwork === true) return input.hostIPs;
  const sandbox = input.runtime.sandboxes[0];
  if (sandbox !== undefined && sandbox.ips.length > 0) return sandbox.ips;
  // The runtime forgets a stopped sandbox's address; the status keeps showing it.
  return (input.pod.status.podIPs ?? []).map((entry) => entry.ip);
}

function phaseOf(input: PodStatusInput, statuses: ReturnType<typeof containerStatuses>): PodPhase {
  const old = input.pod.status.phase;
  if (input.failure !== undefined || old === 'Failed') return 'Failed';
  // A phase that has become final never changes again.
  if (isTerminalPhase(old)) return 'Succeeded';
  return podPhase(input.pod, statuses, input.over);
}

/** What the kubelet has to say of the Pod now. */
export function podStatus(input: PodStatusInput): KubeletPodStatus {
  const { pod, runtime } = input;
  const statuses = containerStatuses(input);
  const phase = phaseOf(input, statuses);
  const ips = podIPs(input);
  const sandbox = runtime.sandboxes[0];
  const sandboxReady = sandbox?.ready === true && (sandbox.hostNetwork || sandbox.ips.length > 0);
  const { generation } = pod.metadata;
  const reason = input.failure?.reason ?? (phase === 'Failed' ? pod.status.reason : undefined);
  const message = input.failure?.message ?? (phase === 'Failed' ? pod.status.message : undefined);
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: podConditions({ pod, statuses, phase, sandboxReady, now: input.now }),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(input.hostIPs[0] === undefined
      ? {}
      : { hostIP: input.hostIPs[0], hostIPs: input.hostIPs.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: pod.status.startTime ?? formatTime(input.now),
    ...(statuses.init.length === 0 ? {} : { initContainerStatuses: [...statuses.init] }),
    containerStatuses: [...statuses.main],
    ...(statuses.ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: [...statuses.ephemeral] }),
    qosClass: pod.status.qosClass ?? qosClass(pod),
  };
}

/** The conditions the kubelet owns: upstream kubelet's status/generate. Pure. */
import type { ContainerStatus, Pod, PodCondition } from '../api/generated/core-v1.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { ContainerStatuses } from './container-status.ts';
import { isSidecar } from './pod-info.ts';
import type { PodPhase } from './pod-phase.ts';

interface Verdict {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

/** The types of the conditions that are the kubelet's to write. */
export const KUBELET_CONDITIONS: ReadonlySet<string> = new Set([
  'PodScheduled',
  'Initialized',
  'ContainersReady',
  'Ready',
  'PodReadyToStartContainers',
]);

const isTrue = (type: string, reason?: string): Verdict => ({
  type,
  status: 'True',
  ...(reason === undefined ? {} : { reason }),
});

function isFalse(type: string, reason: string, message?: string): Verdict {
  return { type, status: 'False', reason, ...(message === undefined ? {} : { message }) };
}

const names = (list: readonly string[]): string => `[${list.join(' ')}]`;

function initialized(pod: Pod, statuses: ContainerStatuses, phase: PodPhase): Verdict {
  const type = 'Initialized';
  if (phase === 'Succeeded') return isTrue(type, 'PodCompleted');
  const hasRun = (status: ContainerStatus): boolean =>
    status.state.running !== undefined ||
    status.state.terminated !== undefined ||
    status.lastState.terminated !== undefined;
  if (statuses.main.some(hasRun)) return isTrue(type);
  const incomplete = (pod.spec.initContainers ?? []).filter((container) => {
    const status = statuses.init.find((candidate) => candidate.name === container.name);
    return isSidecar(container) ? status?.started !== true : status?.ready !== true;
  });
  if (incomplete.length === 0) return isTrue(type);
  const list = names(incomplete.map((container) => container.name));
  return isFalse(type, 'ContainersNotInitialized', `containers with incomplete status: ${list}`);
}

function containersReady(pod: Pod, statuses: ContainerStatuses, phase: PodPhase): Verdict {
  const type = 'ContainersReady';
  if (phase === 'Succeeded') return isFalse(type, 'PodCompleted');
  if (phase === 'Failed') return isFalse(type, 'PodFailed');
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  const all = [...statuses.init, ...statuses.main];
  const unready = [...sidecars, ...pod.spec.containers].filter(
    (container) => all.find((status) => status.name === container.name)?.ready !== true,
  );
  if (unready.length === 0) return isTrue(type);
  const list = names(unready.map((container) => container.name));
  return isFalse(type, 'ContainersNotReady', `containers with unready status: ${list}`);
}

function ready(pod: Pod, containers: Verdict): Verdict {
  const type = 'Ready';
  if (containers.status !== 'True') return { ...containers, type };
  const messages: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const condition = pod.status.conditions?.find((candidate) => candidate.type === conditionType);
    if (condition === undefined) {
      messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    } else if (condition.status !== 'True') {
      messages.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`);
    }
  }
  return messages.length === 0 ? isTrue(type) : isFalse(type, 'ReadinessGatesNotReady', messages.join(', '));
}

export interface ConditionsInput {
  readonly pod: Pod;
  readonly statuses: ContainerStatuses;
  readonly phase: PodPhase;
  /** The sandbox is up and has its network. */
  readonly sandboxReady: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The kubelet's conditions of the Pod; an unchanged one keeps its transition time. */
export function podConditions(input: ConditionsInput): PodCondition[] {
  const { pod, statuses, phase } = input;
  const containers = containersReady(pod, statuses, phase);
  const verdicts: Verdict[] = [
    { type: 'PodReadyToStartContainers', status: input.sandboxReady ? 'True' : 'False' },
    initialized(pod, statuses, phase),
    ready(pod, containers),
    containers,
    isTrue('PodScheduled'),
  ];
  const { generation } = pod.metadata;
  return verdicts.map((verdict) => {
    const old = pod.status.conditions?.find((condition) => condition.type === verdict.type);
    const kept = old?.status === verdict.status ? old.lastTransitionTime : null;
    return {
      ...verdict,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastProbeTime: null,
      lastTransitionTime: kept ?? formatTime(input.now),
    };
  });
}

import type { ContainerStatus, Pod } from '../api/generated/core-v1.ts';
import type { ContainerStatuses } from './container-status.ts';
import { isSidecar } from './pod-info.ts';
import { restartsAfterExit } from './restart-policy.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

interface InitTally {
  /** Init containers that have still to pass. */
  pending: number;
  /** Sidecars that have never started. */
  pendingSidecars: number;
  failed: number;
}

function tallyInit(pod: Pod, statuses: ContainerStatuses): InitTally {
  const tally: InitTally = { pending: 0, pendingSidecars: 0, failed: 0 };
  for (const container of pod.spec.initContainers ?? []) {
    const status = statuses.init.find((candidate) => candidate.name === container.name);
    if (isSidecar(container)) {
      const waitsFirst = status?.state.waiting !== undefined && status.lastState.terminated === undefined;
      if (status === undefined || waitsFirst || status.started !== true) tally.pendingSidecars += 1;
      continue;
    }
    const ended =
      status?.state.terminated ?? (status?.state.waiting === undefined ? undefined : status.lastState.terminated);
    if (ended === undefined) tally.pending += 1;
    else if (ended.exitCode !== 0) tally.failed += 1;
  }
  return tally;
}

function hasRun(status: ContainerStatus): boolean {
  return (
    status.state.running !== undefined ||
    status.state.terminated !== undefined ||
    status.lastState.terminated !== undefined
  );
}

/**
 * The Pod's phase (upstream kubelet's getPhase). `over` says that no container will run again whatever the restart
 * policy: the Pod is being deleted, say, and its containers have ended.
 */
export function podPhase(pod: Pod, statuses: ContainerStatuses, over: boolean): PodPhase {
  const init = tallyInit(pod, statuses);
  if (init.failed > 0 && pod.spec.restartPolicy === 'Never') return 'Failed';
  const counts = { waiting: 0, running: 0, stopped: 0, succeeded: 0, stays: 0 };
  for (const container of pod.spec.containers) {
    const status = statuses.main.find((candidate) => candidate.name === container.name);
    if (status === undefined) counts.waiting += 1;
    else if (status.state.running !== undefined) counts.running += 1;
    else if (status.state.terminated !== undefined) {
      const { exitCode } = status.state.terminated;
      counts.stopped += 1;
      if (exitCode === 0) counts.succeeded += 1;
      if (!restartsAfterExit(pod, container, exitCode)) counts.stays += 1;
    } else if (status.lastState.terminated !== undefined) counts.stopped += 1;
    else counts.waiting += 1;
  }
  const initialized = init.pending === 0 && (init.pendingSidecars === 0 || statuses.main.some(hasRun));
  if (over && counts.running === 0 && counts.stopped > 0 && counts.waiting === 0) {
    return counts.stopped === counts.succeeded ? 'Succeeded' : 'Failed';
  }
  if (over && counts.running === 0) return 'Failed';
  if (!initialized || counts.waiting > 0) return 'Pending';
  if (counts.running > 0) return 'Running';
  if (counts.stays < counts.stopped) return 'Running';
  return counts.stopped === counts.succeeded ? 'Succeeded' : 'Failed';
}

import type { ContainerStatus, Pod } from '../../api/generated/core-v1.ts';

export interface PodSummary {
  readonly ready: number;
  readonly total: number;
  /** `Running`, `CrashLoopBackOff`, `Init:0/2`, `Terminating`, … */
  readonly status: string;
  readonly restarts: number;
  /** When the last restart happened, milliseconds since the epoch. */
  readonly lastRestart: number | undefined;
}

/** The Ready, Status and Restarts cells of a Pod: upstream's printPod. */
export function summarizePod(pod: Pod): PodSummary {
  const { spec, status } = pod;
  const sidecars = new Set(
    (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  );
  let text = status.reason || status.phase || 'Unknown';
  const gated = (status.conditions ?? []).some(
    ({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated',
  );
  if (gated) text = 'SchedulingGated';
  const total = spec.containers.length + sidecars.size;
  let ready = 0;
  let restarts = 0;
  let sidecarRestarts = 0;
  let lastRestart: number | undefined;
  let sidecarLast: number | undefined;
  let initializing = false;

  const inits = status.initContainerStatuses ?? [];
  for (const [index, container] of inits.entries()) {
    const isSidecar = sidecars.has(container.name);
    restarts += container.restartCount;
    lastRestart = later(lastRestart, finishedAt(container));
    if (isSidecar) {
      sidecarRestarts += container.restartCount;
      sidecarLast = later(sidecarLast, finishedAt(container));
    }
    const { terminated, waiting } = container.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    if (isSidecar && container.started === true) {
      if (container.ready) ready++;
      continue;
    }
    initializing = true;
    if (terminated !== undefined) {
      text = terminated.reason
        ? `Init:${terminated.reason}`
        : terminated.signal
          ? `Init:Signal:${terminated.signal}`
          : `Init:ExitCode:${terminated.exitCode}`;
    } else if (waiting?.reason && waiting.reason !== 'PodInitializing') {
      text = `Init:${waiting.reason}`;
    } else {
      text = `Init:${index}/${(spec.initContainers ?? []).length}`;
    }
    break;
  }

  if (!initializing || isConditionTrue(pod, 'Initialized')) {
    restarts = sidecarRestarts;
    lastRestart = sidecarLast;
    let running = false;
    for (const container of [...(status.containerStatuses ?? [])].reverse()) {
      restarts += container.restartCount;
      lastRestart = later(lastRestart, finishedAt(container));
      const { terminated, waiting, running: runs } = container.state ?? {};
      if (waiting?.reason) text = waiting.reason;
      else if (terminated?.reason) text = terminated.reason;
      else if (terminated !== undefined) {
        text = terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
      } else if (container.ready && runs !== undefined) {
        running = true;
        ready++;
      }
    }
    if (text === 'Completed' && running) text = isConditionTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  }

  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === 'NodeLost') text = 'Unknown';
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') text = 'Terminating';
  }
  return { ready, total, status: text, restarts, lastRestart };
}

function isConditionTrue(pod: Pod, type: string): boolean {
  return (pod.status.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
}

function finishedAt(container: ContainerStatus): number | undefined {
  const time = container.lastState?.terminated?.finishedAt;
  return time ? Date.parse(time) : undefined;
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}

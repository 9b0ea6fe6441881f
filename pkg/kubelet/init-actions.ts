/** The order of init containers and sidecars: upstream kuberuntime's computeInitContainerActions. Pure. */
import type { Container, Pod } from '../api/generated/core-v1.ts';
import { type ContainerKill, killUnknown, type ProbeVerdicts, whyKill } from './container-kill.ts';
import { isSidecar } from './pod-info.ts';
import { restartsAfterExit } from './restart-policy.ts';
import { type ContainerRuntimeStatus, newestContainer, type PodRuntimeStatus } from './runtime-status.ts';

export interface InitActions {
  /** The main containers may start (or have started). */
  readonly done: boolean;
  /** An init container failed for good: the Pod is to be killed. */
  readonly failed: boolean;
  readonly toStart: readonly Container[];
  readonly toKill: readonly ContainerKill[];
}

/** Whether main containers have come to life in this sandbox, so that every init container must have run. */
function mainContainersStarted(pod: Pod, status: PodRuntimeStatus): boolean {
  return pod.spec.containers.some((container) => {
    const state = newestContainer(status, container.name)?.state;
    return state === 'created' || state === 'running';
  });
}

type Step = 'passed' | 'wait' | 'start' | 'failed';

/**
 * Decides from the last init container with an instance backwards: records of completed ones may have been removed,
 * so the latest one that exists says how far initialization has come.
 */
export function computeInitActions(pod: Pod, status: PodRuntimeStatus, probes: ProbeVerdicts): InitActions {
  const inits = pod.spec.initContainers ?? [];
  if (inits.length === 0) return { done: true, failed: false, toStart: [], toKill: [] };
  const started = mainContainersStarted(pod, status);
  const toStart: Container[] = [];
  const toKill: ContainerKill[] = [];
  let done = started;
  /** Everything before the point reached so far has passed; of that only sidecars matter. */
  let passed = started;

  for (const [index, container] of [...inits.entries()].reverse()) {
    const newest = newestContainer(status, container.name);
    const sidecar = isSidecar(container);
    if (newest === undefined) {
      if (passed && sidecar) toStart.push(container);
      continue;
    }
    if (passed && !sidecar) continue;
    const step = sidecar
      ? sidecarStep(pod, container, newest, probes, toKill)
      : initStep(pod, container, newest, toKill);
    if (step === 'failed') return { done: false, failed: true, toStart: [], toKill: [] };
    if (step === 'start') toStart.push(container);
    if (!passed && step === 'passed') {
      const next = inits[index + 1];
      if (next === undefined) done = true;
      else toStart.push(next);
    }
    passed = true;
  }
  const first = inits[0];
  if (!passed && first !== undefined) toStart.push(first);
  return { done, failed: false, toStart: toStart.reverse(), toKill };
}

function initStep(pod: Pod, container: Container, newest: ContainerRuntimeStatus, toKill: ContainerKill[]): Step {
  switch (newest.state) {
    case 'running':
      return 'wait';
    case 'created':
      // Starting follows creating at once: what is still only created was left so by a kedge that ended in between.
      return 'start';
    case 'unknown':
      toKill.push(killUnknown(container, newest));
      return pod.spec.restartPolicy === 'Never' ? 'failed' : 'start';
    case 'exited':
      if (newest.exitCode === 0) return 'passed';
      // A failed init container runs again under OnFailure and under Always alike.
      if (container.restartPolicyRules !== undefined || container.restartPolicy !== undefined) {
        return restartsAfterExit(pod, container, newest.exitCode) ? 'start' : 'failed';
      }
      return pod.spec.restartPolicy === 'Never' ? 'failed' : 'start';
  }
}

function sidecarStep(
  pod: Pod,
  container: Container,
  newest: ContainerRuntimeStatus,
  probes: ProbeVerdicts,
  toKill: ContainerKill[],
): Step {
  switch (newest.state) {
    case 'created':
      return 'start';
    case 'unknown':
      toKill.push(killUnknown(container, newest));
      return 'start';
    case 'exited':
      return pod.metadata.deletionTimestamp === undefined ? 'start' : 'wait';
    case 'running': {
      const why = whyKill(container, newest, probes);
      if (why !== undefined) {
        const message = `Init ${why.message.charAt(0).toLowerCase()}${why.message.slice(1)}, will be restarted`;
        toKill.push({ id: newest.id, name: container.name, reason: why.reason, message });
        return 'start';
      }
      if (container.startupProbe !== undefined && probes.startup(newest.id) !== 'success') return 'wait';
      return 'passed';
    }
  }
}

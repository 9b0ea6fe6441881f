/** What has to be done to a Pod's sandbox and containers: upstream kuberuntime's computePodActions. Pure. */
import type { Container, Pod } from '../api/generated/core-v1.ts';
import { type ContainerKill, killUnknown, type ProbeVerdicts, whyKill } from './container-kill.ts';
import { computeInitActions } from './init-actions.ts';
import { restartsAfterExit, restartsAfterFailure, shouldStart } from './restart-policy.ts';
import { newestContainer, type PodRuntimeStatus } from './runtime-status.ts';

export interface PodActions {
  /** Stop every container and the sandbox: the sandbox is of no use any more, or the Pod is done. */
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  /** The sandbox to go on with; the old one when a new one is to be made. */
  readonly sandboxId: string | undefined;
  /** The number of the sandbox to make. */
  readonly attempt: number;
  /** In starting order. */
  readonly initContainersToStart: readonly Container[];
  readonly containersToStart: readonly Container[];
  readonly ephemeralContainersToStart: readonly Container[];
  readonly containersToKill: readonly ContainerKill[];
}

const NOTHING: PodActions = {
  killPod: false,
  createSandbox: false,
  sandboxId: undefined,
  attempt: 0,
  initContainersToStart: [],
  containersToStart: [],
  ephemeralContainersToStart: [],
  containersToKill: [],
};

interface SandboxDecision {
  readonly changed: boolean;
  readonly attempt: number;
  readonly id: string | undefined;
}

/** Whether the Pod needs a new sandbox, and which number it gets. */
function decideSandbox(pod: Pod, status: PodRuntimeStatus): SandboxDecision {
  const newest = status.sandboxes[0];
  if (newest === undefined) return { changed: true, attempt: 0, id: undefined };
  const hostNetwork = pod.spec.hostNetwork === true;
  const usable =
    newest.ready &&
    status.sandboxes.filter((sandbox) => sandbox.ready).length === 1 &&
    newest.hostNetwork === hostNetwork &&
    (hostNetwork || newest.ips.length > 0);
  return usable
    ? { changed: false, attempt: newest.attempt, id: newest.id }
    : { changed: true, attempt: newest.attempt + 1, id: newest.id };
}

/** The start of a Pod in a new sandbox; or, when it is over, only the end of the old one. */
function planNewSandbox(pod: Pod, status: PodRuntimeStatus, sandbox: SandboxDecision): PodActions {
  const base: PodActions = { ...NOTHING, killPod: true, sandboxId: sandbox.id, attempt: sandbox.attempt };
  const ranBefore = sandbox.attempt !== 0 && status.containers.length > 0;
  if (pod.spec.restartPolicy === 'Never' && ranBefore && !pod.spec.containers.some(ownsRestart)) return base;
  const containersToStart = pod.spec.containers.filter((container) => {
    const newest = newestContainer(status, container.name);
    if (newest?.state !== 'exited') return true;
    return pod.spec.restartPolicy === 'Always' || restartsAfterExit(pod, container, newest.exitCode);
  });
  if (containersToStart.length === 0) return base;
  const firstInit = pod.spec.initContainers?.[0];
  if (firstInit !== undefined) return { ...base, createSandbox: true, initContainersToStart: [firstInit] };
  return { ...base, createSandbox: true, containersToStart };
}

function ownsRestart(container: Container): boolean {
  return container.restartPolicy !== undefined || (container.restartPolicyRules ?? []).length > 0;
}

/** What to do so that the runtime's state of `pod` becomes what its spec asks for. */
export function computePodActions(pod: Pod, status: PodRuntimeStatus, probes: ProbeVerdicts): PodActions {
  const sandbox = decideSandbox(pod, status);
  if (sandbox.changed) return planNewSandbox(pod, status, sandbox);

  const ephemeralContainersToStart = (pod.spec.ephemeralContainers ?? []).filter(
    (container) => newestContainer(status, container.name) === undefined,
  );
  const base = { ...NOTHING, sandboxId: sandbox.id, attempt: sandbox.attempt, ephemeralContainersToStart };

  const init = computeInitActions(pod, status, probes);
  const initPart = { initContainersToStart: init.toStart, containersToKill: init.toKill };
  if (init.failed) return { ...base, killPod: true };
  if (!init.done) return { ...base, ...initPart };

  const containersToStart: Container[] = [];
  const containersToKill = [...init.toKill];
  let kept = 0;
  for (const container of pod.spec.containers) {
    const newest = newestContainer(status, container.name);
    if (newest?.state !== 'running') {
      if (!shouldStart(pod, container, newest)) continue;
      containersToStart.push(container);
      if (newest?.state === 'unknown') containersToKill.push(killUnknown(container, newest));
      continue;
    }
    const why = whyKill(container, newest, probes);
    if (why === undefined) {
      kept += 1;
      continue;
    }
    const restart = why.reason === 'Changed' || restartsAfterFailure(pod, container);
    if (restart) containersToStart.push(container);
    const message = restart ? `${why.message}, will be restarted` : why.message;
    containersToKill.push({ id: newest.id, name: container.name, reason: why.reason, message });
  }
  // With no main container left to run the Pod is over, and its sidecars end with it.
  if (kept === 0 && containersToStart.length === 0) return { ...base, killPod: true };
  return { ...base, ...initPart, containersToStart, containersToKill };
}

/** When a running container has to be killed. Pure. */
import type { Container } from '../api/generated/core-v1.ts';
import { containerHash } from './container-labels.ts';
import type { ContainerRuntimeStatus } from './runtime-status.ts';

export type ProbeVerdict = 'success' | 'failure';

/** The latest results of a container's probes; undefined for no probe or no result yet. */
export interface ProbeVerdicts {
  liveness(containerId: string): ProbeVerdict | undefined;
  startup(containerId: string): ProbeVerdict | undefined;
}

export type KillReason = 'FailedLivenessProbe' | 'FailedStartupProbe' | 'Changed' | 'Unknown';

export interface ContainerKill {
  readonly id: string;
  readonly name: string;
  readonly reason: KillReason;
  /** For the Killing event. */
  readonly message: string;
}

/** Why a running container has to be killed; undefined when it is fine. */
export function whyKill(
  container: Container,
  running: ContainerRuntimeStatus,
  probes: ProbeVerdicts,
): { readonly reason: KillReason; readonly message: string } | undefined {
  const { name } = container;
  if (running.hash !== containerHash(container)) {
    return { reason: 'Changed', message: `Container ${name} definition changed` };
  }
  if (probes.liveness(running.id) === 'failure') {
    return { reason: 'FailedLivenessProbe', message: `Container ${name} failed liveness probe` };
  }
  if (probes.startup(running.id) === 'failure') {
    return { reason: 'FailedStartupProbe', message: `Container ${name} failed startup probe` };
  }
  return undefined;
}

/** A container the runtime lost track of is killed before its successor starts. */
export function killUnknown(container: Container, status: ContainerRuntimeStatus): ContainerKill {
  const message = `Container ${container.name} is in unknown state, try killing it before restart`;
  return { id: status.id, name: container.name, reason: 'Unknown', message };
}

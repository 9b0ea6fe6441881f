/** Which dead containers and sandboxes of a living Pod can go: upstream's container garbage collection. Pure. */
import type { ContainerRuntimeStatus, PodRuntimeStatus } from './runtime-status.ts';

/** Dead instances kept of each container, for `kubectl logs --previous`. */
const KEEP = 1;

export interface Garbage {
  readonly containers: readonly ContainerRuntimeStatus[];
  readonly sandboxIds: readonly string[];
}

export function planGarbage(status: PodRuntimeStatus): Garbage {
  const containers: ContainerRuntimeStatus[] = [];
  for (const instances of Map.groupBy(status.containers, ({ name }) => name).values()) {
    const dead = instances.filter(({ state }) => state === 'exited' || state === 'unknown');
    containers.push(...dead.slice(KEEP));
  }
  const kept = new Set(
    status.containers.filter((container) => !containers.includes(container)).map(({ sandboxId }) => sandboxId),
  );
  const sandboxIds = status.sandboxes
    .slice(1)
    .filter(({ id, ready }) => !ready && !kept.has(id))
    .map(({ id }) => id);
  return { containers, sandboxIds };
}

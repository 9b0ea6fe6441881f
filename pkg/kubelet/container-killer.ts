import type { ContainerPort, LifecycleHandler } from '../api/generated/core-v1.ts';
import { errorText } from '../base/log.ts';
import { hasGrpcCode } from '../grpc/error.ts';
import { ANNOTATIONS } from './container-labels.ts';
import { runHook } from './lifecycle-hook.ts';
import type { ContainerRuntimeStatus } from './runtime-status.ts';
import type { RuntimeTools } from './runtime-tools.ts';

/** However little time a Pod is given, a container has this long to end by itself, in seconds (upstream's minimum). */
const MINIMUM_GRACE = 2;
const DEFAULT_GRACE = 30;

export interface KillOptions {
  /** Seconds; the container's own annotations say how many when left out. */
  readonly graceSeconds?: number | undefined;
  /** The Pod's address, for preStop hooks by HTTP. */
  readonly podIP: string;
  /** Called when a preStop hook fails. */
  readonly onHookError?: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

function seconds(text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text);
}

/** The grace period a container was made with, in seconds. */
export function ownGracePeriod(container: ContainerRuntimeStatus): number {
  const { annotations } = container;
  return (
    seconds(annotations[ANNOTATIONS.deletionGracePeriod]) ??
    seconds(annotations[ANNOTATIONS.terminationGracePeriod]) ??
    DEFAULT_GRACE
  );
}

/** JSON this kubelet wrote itself; undefined when it is absent or was made by something else. */
function parseOwn<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    // Not ours: a container without a handler is ended all the same.
    return undefined;
  }
}

/**
 * Ends one container: preStop hook, the stop signal, and when the grace period is over SIGKILL. What it needs to know
 * is in the container's annotations, so that it works for Pods that are gone from the API. Resolves when it has ended.
 */
export async function killContainer(
  tools: RuntimeTools,
  container: ContainerRuntimeStatus,
  options: KillOptions,
): Promise<void> {
  if (container.state === 'exited') return;
  const grace = options.graceSeconds ?? ownGracePeriod(container);
  const preStop = parseOwn<LifecycleHandler>(container.annotations[ANNOTATIONS.preStopHandler]);
  const started = tools.clock.now();
  if (preStop !== undefined && grace > 0 && container.state === 'running') {
    await runPreStop(tools, container, preStop, grace, options);
  }
  const spent = Math.floor((tools.clock.now() - started) / 1000);
  const timeout = Math.max(MINIMUM_GRACE, grace - spent);
  try {
    await tools.runtime.stopContainer(
      { containerId: container.id, timeout },
      options.signal === undefined ? {} : { signal: options.signal },
    );
  } catch (error) {
    if (!hasGrpcCode(error, 'NOT_FOUND')) throw error;
  }
}

async function runPreStop(
  tools: RuntimeTools,
  container: ContainerRuntimeStatus,
  preStop: LifecycleHandler,
  grace: number,
  options: KillOptions,
): Promise<void> {
  const limit = new AbortController();
  const cancel = tools.clock.setTimeout(() => limit.abort(), grace * 1000);
  const signals = options.signal === undefined ? [limit.signal] : [limit.signal, options.signal];
  const ports = parseOwn<ContainerPort[]>(container.annotations[ANNOTATIONS.ports]) ?? [];
  const target = {
    container: { name: container.name, resources: {}, ports },
    containerId: container.id,
    podIP: options.podIP,
  };
  try {
    await runHook(tools, preStop, target, AbortSignal.any(signals));
  } catch (error) {
    options.onHookError?.(`PreStopHook failed: ${errorText(error)}`);
  } finally {
    cancel();
  }
}

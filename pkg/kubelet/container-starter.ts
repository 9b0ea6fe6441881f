import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Container, EphemeralContainer, Pod, Secret, Service } from '../api/generated/core-v1.ts';
import { formatDuration } from '../apimachinery/duration.ts';
import { errorText } from '../base/log.ts';
import type { MessageInit } from '../cri/types.ts';
import type { Backoff } from './backoff.ts';
import { containerConfig, containerLogPath } from './container-config.ts';
import { ContainerStartError } from './container-error.ts';
import { killContainer } from './container-killer.ts';
import { containerHash } from './container-labels.ts';
import { linkContainerLog } from './container-logs.ts';
import { containerMounts } from './container-mounts.ts';
import { containerEnv, type ReferencedData } from './env.ts';
import { FieldRefError, type PodPlace } from './field-ref.ts';
import type { ImageManager } from './images.ts';
import { runHook } from './lifecycle-hook.ts';
import { podText } from './pod-info.ts';
import { type ContainerRuntimeStatus, newestContainer, type PodRuntimeStatus } from './runtime-status.ts';
import { type RuntimeTools, tell } from './runtime-tools.ts';
import { podLogDirectory } from './sandbox-config.ts';
import { verifyNonRoot } from './security-context.ts';
import { serviceEnv } from './service-env.ts';
import type { MountedVolume } from './volumes/volume-manager.ts';

export interface StarterTools extends RuntimeTools {
  readonly images: ImageManager;
  readonly crashBackoff: Backoff;
  /** The node's memory in bytes. */
  readonly memoryCapacity: number;
  readonly services: () => readonly Service[];
}

/** The surroundings a container is started in. */
export interface StartContext {
  readonly pod: Pod;
  readonly sandboxId: string;
  readonly sandboxConfig: MessageInit<'PodSandboxConfig'>;
  /** The Pod's containers as they were before. */
  readonly status: PodRuntimeStatus;
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly data: ReferencedData;
  readonly place: PodPlace;
  readonly signal: AbortSignal;
}

/** Under which a container's crashes are counted; another image is another chance. */
function backoffKey(pod: Pod, container: Container): string {
  return `${pod.metadata.uid}/${container.name}/${containerHash(container)}`;
}

/** Throws CrashLoopBackOff while the container has to wait after its last end. */
function checkCrashBackoff(tools: StarterTools, context: StartContext, container: Container): void {
  const { pod } = context;
  const last = context.status.containers.find(({ name, state }) => name === container.name && state === 'exited');
  if (last === undefined) return;
  const key = backoffKey(pod, container);
  const wait = tools.crashBackoff.remaining(key, last.finishedAt);
  if (wait > 0) {
    const text = podText(pod);
    tell(
      tools.events,
      pod,
      container.name,
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${container.name} in pod ${text}`,
    );
    const delay = formatDuration(tools.crashBackoff.delay(key));
    const message = `back-off ${delay} restarting failed container=${container.name} pod=${text}`;
    throw new ContainerStartError('CrashLoopBackOff', message, { retryAt: tools.clock.now() + wait });
  }
  tools.crashBackoff.next(key, last.finishedAt);
}

/** The number of the next instance: one more than the newest, of which the API may know more than the runtime. */
function nextRestartCount(pod: Pod, container: Container, newest: ContainerRuntimeStatus | undefined): number {
  if (newest !== undefined) return newest.restartCount + 1;
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status;
  const told = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses].find(
    ({ name }) => name === container.name,
  );
  return told?.containerID === undefined ? 0 : told.restartCount + 1;
}

function pullSecrets(pod: Pod, data: ReferencedData): Secret[] {
  return (pod.spec.imagePullSecrets ?? [])
    .map(({ name = '' }) => data.secret(name))
    .filter((secret) => secret !== undefined);
}

/** Everything a container is made from; rejects with ContainerStartError. */
async function prepare(
  tools: StarterTools,
  context: StartContext,
  container: Container | EphemeralContainer,
  restartCount: number,
): Promise<MessageInit<'ContainerConfig'>> {
  const { pod, data, place } = context;
  const { uid, namespace = '' } = pod.metadata;
  const image = await tools.images.ensure({
    pod,
    container,
    pullSecrets: pullSecrets(pod, data),
    sandboxConfig: context.sandboxConfig,
    signal: context.signal,
    tell: (type, reason, message) => tell(tools.events, pod, container.name, type, reason, message),
  });
  verifyNonRoot(pod, container, image.user);
  const services = serviceEnv(tools.services(), namespace, pod.spec.enableServiceLinks !== false);
  const env = containerEnv({ pod, container, data, place, services });
  const terminationMessageFile = tools.paths.terminationMessage(uid, container.name, restartCount);
  const mounts = await containerMounts({
    pod,
    container,
    volumes: context.volumes,
    env,
    paths: tools.paths,
    terminationMessageFile,
  });
  const target = 'targetContainerName' in container ? (container.targetContainerName ?? '') : '';
  return containerConfig({
    pod,
    container,
    restartCount,
    imageRef: image.ref,
    env,
    mounts,
    terminationMessageFile,
    memoryCapacity: tools.memoryCapacity,
    security: { seccompDir: tools.paths.seccomp },
    targetContainerId: target === '' ? undefined : newestContainer(context.status, target)?.id,
  });
}

/** Runs `work`; what it throws becomes a ContainerStartError with `reason`. */
async function orFail<T>(reason: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ContainerStartError(reason, errorText(error), { cause: error });
  }
}

/** Starts the next instance of `container` and runs its postStart hook. Rejects with ContainerStartError. */
export async function startContainer(
  tools: StarterTools,
  context: StartContext,
  container: Container | EphemeralContainer,
): Promise<void> {
  const { pod } = context;
  const say = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    tell(tools.events, pod, container.name, type, reason, message);
  try {
    checkCrashBackoff(tools, context, container);
    const restartCount = nextRestartCount(pod, container, newestContainer(context.status, container.name));
    const logFile = join(
      podLogDirectory(tools.podLogDir, pod.metadata),
      containerLogPath(container.name, restartCount),
    );
    const [config] = await Promise.all([
      prepare(tools, context, container, restartCount),
      mkdir(dirname(logFile), { recursive: true, mode: 0o755 }),
    ]);
    const id = await tools.limiter.run(async () => {
      const { sandboxId: podSandboxId, sandboxConfig } = context;
      const made = await orFail('CreateContainerError', () =>
        tools.runtime.createContainer({ podSandboxId, config, sandboxConfig }),
      );
      tools.state.note(made.containerId, pod.metadata.uid);
      say('Normal', 'Created', 'Container created');
      await orFail('RunContainerError', () => tools.runtime.startContainer({ containerId: made.containerId }));
      return made.containerId;
    });
    say('Normal', 'Started', 'Container started');
    const { name, namespace = '' } = pod.metadata;
    void linkContainerLog(tools, { name, namespace }, container.name, id, logFile);
    await postStart(tools, context, container, id);
  } catch (error) {
    const failure = toStartError(error);
    if (failure.reason !== 'CrashLoopBackOff' && !context.signal.aborted) {
      const shown =
        failure.reason.startsWith('ErrImage') || failure.reason === 'ImagePullBackOff'
          ? failure.reason
          : failure.message;
      say('Warning', 'Failed', `Error: ${shown}`);
    }
    throw failure;
  }
}

function toStartError(error: unknown): ContainerStartError {
  if (error instanceof ContainerStartError) return error;
  const reason = error instanceof FieldRefError ? 'CreateContainerConfigError' : 'CreateContainerError';
  return new ContainerStartError(reason, errorText(error), { cause: error });
}

async function postStart(tools: StarterTools, context: StartContext, container: Container, id: string): Promise<void> {
  const hook = container.lifecycle?.postStart;
  if (hook === undefined) return;
  const podIP = context.place.podIPs[0] ?? '';
  try {
    await runHook(tools, hook, { container, containerId: id, podIP }, context.signal);
  } catch (error) {
    const message = `PostStartHook failed: ${errorText(error)}`;
    tell(tools.events, context.pod, container.name, 'Warning', 'FailedPostStartHook', message);
    const status = await tools.state.refresh(context.pod.metadata.uid);
    const instance = status?.containers.find((candidate) => candidate.id === id);
    if (instance !== undefined) await killContainer(tools, instance, { podIP, signal: context.signal });
    throw new ContainerStartError('PostStartHookError', message, { cause: error });
  }
}

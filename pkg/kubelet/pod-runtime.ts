import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Container, Pod } from '../api/generated/core-v1.ts';
import { errorText } from '../base/log.ts';
import type { MessageInit } from '../cri/types.ts';
import { hasGrpcCode } from '../grpc/error.ts';
import { ContainerStartError } from './container-error.ts';
import { killContainer } from './container-killer.ts';
import { removeContainerLogs } from './container-logs.ts';
import { type StartContext, type StarterTools, startContainer } from './container-starter.ts';
import type { WaitingReason } from './container-status.ts';
import type { ReferencedData } from './env.ts';
import type { PodPlace } from './field-ref.ts';
import { hostsFile } from './hosts-file.ts';
import type { PodActions } from './pod-actions.ts';
import { findContainer, isSidecar } from './pod-info.ts';
import type { ContainerRuntimeStatus, PodRuntimeStatus } from './runtime-status.ts';
import { tell } from './runtime-tools.ts';
import { podLogDirectory, type SandboxSettings, sandboxConfig } from './sandbox-config.ts';
import type { MountedVolume } from './volumes/volume-manager.ts';

export interface PodRuntimeTools extends StarterTools {
  readonly sandbox: SandboxSettings;
}

/** What a Pod's containers are started with. */
export interface PodSurroundings {
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly data: ReferencedData;
  /** Without the Pod's own addresses, which come with its sandbox. */
  readonly place: Omit<PodPlace, 'podIPs'>;
  readonly signal: AbortSignal;
}

export interface ApplyOutcome {
  /** By container: why it could not be started; undefined for one that was. */
  readonly starts: ReadonlyMap<string, WaitingReason | undefined>;
  /** When the next attempt is due, in milliseconds since the epoch; undefined when nothing failed. */
  readonly retryAt: number | undefined;
}

/** Failures that tell no time of their own are tried again after this long (upstream's backOffPeriod). */
const RETRY_MS = 10_000;

/** Seconds a container gets when it is killed for a failed probe; the probe may say so itself. */
function probeGrace(pod: Pod, container: Container | undefined, reason: string): number | undefined {
  const probe =
    reason === 'FailedLivenessProbe'
      ? container?.livenessProbe
      : reason === 'FailedStartupProbe'
        ? container?.startupProbe
        : undefined;
  return probe?.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds;
}

/** Does what computePodActions decided: upstream kuberuntime's SyncPod and KillPod. */
export class PodRuntime {
  readonly #tools: PodRuntimeTools;

  constructor(tools: PodRuntimeTools) {
    this.#tools = tools;
  }

  /**
   * Carries `actions` out. Failures of single containers are told in the outcome; rejects when the sandbox cannot be
   * made or something cannot be stopped.
   */
  async apply(
    pod: Pod,
    actions: PodActions,
    before: PodRuntimeStatus,
    surroundings: PodSurroundings,
  ): Promise<ApplyOutcome> {
    const starts = new Map<string, WaitingReason | undefined>();
    if (actions.killPod) await this.stop(pod, before, undefined, surroundings.signal);
    else await this.#kill(pod, actions, before, surroundings.signal);
    const nothingToStart = [
      actions.initContainersToStart,
      actions.containersToStart,
      actions.ephemeralContainersToStart,
    ].every((list) => list.length === 0);
    if (surroundings.signal.aborted || (nothingToStart && !actions.createSandbox))
      return { starts, retryAt: undefined };

    const config = sandboxConfig(pod, actions.attempt, this.#tools.sandbox);
    const sandboxId = actions.createSandbox ? await this.#createSandbox(pod, config) : actions.sandboxId;
    if (sandboxId === undefined) throw new Error('there is no sandbox to start containers in');
    await this.#removeLeftovers(before, [...actions.initContainersToStart, ...actions.containersToStart]);
    const status = (await this.#tools.state.refresh(pod.metadata.uid)) ?? before;
    const podIPs = pod.spec.hostNetwork === true ? surroundings.place.hostIPs : (status.sandboxes[0]?.ips ?? []);
    await this.#writeHosts(pod, podIPs);
    const context: StartContext = {
      pod,
      sandboxId,
      sandboxConfig: config,
      status,
      volumes: surroundings.volumes,
      data: surroundings.data,
      place: { ...surroundings.place, podIPs },
      signal: surroundings.signal,
    };
    const retryAt = await this.#startAll(context, actions, starts);
    return { starts, retryAt };
  }

  /**
   * Ends everything of a Pod: main containers together, then sidecars in reverse order, then the sandboxes. `pod` is
   * undefined for one the API has forgotten; `graceSeconds` goes before what the containers were made with.
   */
  async stop(
    pod: Pod | undefined,
    status: PodRuntimeStatus,
    graceSeconds: number | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const started = this.#tools.clock.now();
    const alive = status.containers.filter(({ state }) => state !== 'exited');
    const sidecarNames = (pod?.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name);
    const main = alive.filter(({ name }) => !sidecarNames.includes(name));
    await Promise.all(main.map((container) => this.#killOne(pod, container, status, graceSeconds, signal)));
    for (const name of sidecarNames.reverse()) {
      const spent = Math.floor((this.#tools.clock.now() - started) / 1000);
      const left = graceSeconds === undefined ? undefined : Math.max(0, graceSeconds - spent);
      const instances = alive.filter((container) => container.name === name);
      await Promise.all(instances.map((container) => this.#killOne(pod, container, status, left, signal)));
    }
    // One that has died holds its address and its network still: only being stopped lets go of them.
    for (const { id } of status.sandboxes) {
      await unlessGone(this.#tools.runtime.stopPodSandbox({ podSandboxId: id }));
    }
  }

  /** Removes stopped containers with their logs. */
  async removeContainers(
    pod: { readonly name: string; readonly namespace: string },
    containers: readonly ContainerRuntimeStatus[],
  ): Promise<void> {
    for (const container of containers) {
      await unlessGone(this.#tools.runtime.removeContainer({ containerId: container.id }));
      await removeContainerLogs(this.#tools, pod, container);
    }
  }

  async removeSandboxes(ids: readonly string[]): Promise<void> {
    for (const podSandboxId of ids) await unlessGone(this.#tools.runtime.removePodSandbox({ podSandboxId }));
  }

  /** Removes everything the runtime has of a stopped Pod, and its logs. */
  async remove(status: PodRuntimeStatus): Promise<void> {
    await this.removeContainers(status, status.containers);
    await this.removeSandboxes(status.sandboxes.map(({ id }) => id));
    await rm(podLogDirectory(this.#tools.podLogDir, status), { recursive: true, force: true });
  }

  async #kill(pod: Pod, actions: PodActions, status: PodRuntimeStatus, signal: AbortSignal): Promise<void> {
    await Promise.all(
      actions.containersToKill.map(async (kill) => {
        const instance = status.containers.find(({ id }) => id === kill.id);
        if (instance === undefined) return;
        tell(this.#tools.events, pod, kill.name, 'Normal', 'Killing', kill.message);
        const graceSeconds = probeGrace(pod, findContainer(pod, kill.name)?.container, kill.reason);
        await killContainer(this.#tools, instance, { graceSeconds, podIP: status.sandboxes[0]?.ips[0] ?? '', signal });
      }),
    );
    if (actions.containersToKill.length > 0) await this.#tools.state.refresh(status.uid);
  }

  async #killOne(
    pod: Pod | undefined,
    container: ContainerRuntimeStatus,
    status: PodRuntimeStatus,
    graceSeconds: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const say = (type: 'Normal' | 'Warning', reason: string, message: string): void => {
      if (pod !== undefined) tell(this.#tools.events, pod, container.name, type, reason, message);
    };
    if (container.state === 'running') say('Normal', 'Killing', `Stopping container ${container.name}`);
    await killContainer(this.#tools, container, {
      graceSeconds,
      podIP: status.sandboxes[0]?.ips[0] ?? '',
      onHookError: (message) => say('Warning', 'FailedPreStopHook', message),
      signal,
    });
  }

  async #createSandbox(pod: Pod, config: MessageInit<'PodSandboxConfig'>): Promise<string> {
    try {
      await mkdir(config.logDirectory ?? '', { recursive: true, mode: 0o755 });
      const { podSandboxId } = await this.#tools.limiter.run(() => this.#tools.runtime.runPodSandbox({ config }));
      this.#tools.state.note(podSandboxId, pod.metadata.uid);
      return podSandboxId;
    } catch (error) {
      const message = `Failed to create pod sandbox: ${errorText(error)}`;
      tell(this.#tools.events, pod, undefined, 'Warning', 'FailedCreatePodSandBox', message);
      throw error;
    }
  }

  /** Removes half-made instances of what is about to start: the runtime would refuse their name a second time. */
  async #removeLeftovers(before: PodRuntimeStatus, toStart: readonly Container[]): Promise<void> {
    const names = new Set(toStart.map(({ name }) => name));
    const leftovers = before.containers.filter(({ name, state }) => names.has(name) && state === 'created');
    await this.removeContainers(before, leftovers);
  }

  async #writeHosts(pod: Pod, podIPs: readonly string[]): Promise<void> {
    const { paths, sandbox } = this.#tools;
    const path = paths.hosts(pod.metadata.uid);
    const hostFile = pod.spec.hostNetwork === true ? await readFile('/etc/hosts', 'utf8') : '';
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    // Running containers have this very file mounted: it is written in place, never replaced.
    const text = hostsFile(pod, podIPs, sandbox.clusterDns.domain, hostFile);
    const same = await readFile(path, 'utf8').then(
      (present) => present === text,
      () => false,
    );
    if (!same) await writeFile(path, text, { mode: 0o644 });
  }

  /** Starts what is to be started in order; returns when the next attempt is due. */
  async #startAll(
    context: StartContext,
    actions: PodActions,
    starts: Map<string, WaitingReason | undefined>,
  ): Promise<number | undefined> {
    let retryAt: number | undefined;
    const start = async (container: Container): Promise<boolean> => {
      if (context.signal.aborted) return false;
      try {
        await startContainer(this.#tools, context, container);
        starts.set(container.name, undefined);
        return true;
      } catch (error) {
        if (!(error instanceof ContainerStartError)) throw error;
        starts.set(container.name, { reason: error.reason, message: error.message });
        const due = error.retryAt ?? this.#tools.clock.now() + RETRY_MS;
        retryAt = Math.min(retryAt ?? Number.POSITIVE_INFINITY, due);
        return false;
      }
    };
    for (const container of actions.ephemeralContainersToStart) await start(container);
    for (const container of actions.initContainersToStart) {
      // What follows an init container waits for it; sidecars that failed do not hold up their fellows.
      if (!(await start(container)) && !isSidecar(container)) return retryAt;
    }
    for (const container of actions.containersToStart) await start(container);
    return retryAt;
  }
}

async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!hasGrpcCode(error, 'NOT_FOUND')) throw error;
  }
}

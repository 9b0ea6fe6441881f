import type { Container, Pod, Probe } from '../../api/generated/core-v1.ts';
import { pods } from '../../api/resources.ts';
import { type ObjectRef, referenceTo } from '../../apimachinery/object-reference.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import type { EventRecorder } from '../../client/events.ts';
import type { RuntimeService } from '../../cri/services.ts';
import type { ProbeVerdict, ProbeVerdicts } from '../container-kill.ts';
import { containerIdText } from '../container-status.ts';
import { allContainers, containerFieldPath, isSidecar, type ProbeKind, probeOf } from '../pod-info.ts';
import type { ContainerRuntimeStatus, PodRuntimeStatus } from '../runtime-status.ts';
import { INITIAL_VERDICT, ProbeTally } from './probe-tally.ts';
import { type ProbeResult, type ProbeTarget, type ProbeTools, runProbe } from './prober.ts';

export interface ProbeManagerOptions {
  readonly runtime: Pick<RuntimeService, 'execSync'>;
  readonly clock: Clock;
  readonly events: EventRecorder;
  /** Called with a Pod's uid when a verdict has changed. */
  readonly onChange: (uid: string) => void;
  /** Runs one probe; runProbe unless given. */
  readonly run?: typeof runProbe;
}

const KINDS: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];

interface Worker {
  readonly uid: string;
  readonly kind: ProbeKind;
  readonly tally: ProbeTally;
  stop(): void;
}

const workerKey = (containerId: string, kind: ProbeKind): string => `${containerId}/${kind}`;

/**
 * Probes the running containers of this node's Pods: one timer per probe, none for containers without. Liveness and
 * readiness wait for the startup probe. A container has its results for itself: its successor begins anew.
 */
export class ProbeManager implements ProbeVerdicts {
  readonly #options: ProbeManagerOptions;
  readonly #workers = new Map<string, Worker>();

  constructor(options: ProbeManagerOptions) {
    this.#options = options;
  }

  liveness(containerId: string): ProbeVerdict | undefined {
    return this.#workers.get(workerKey(containerId, 'liveness'))?.tally.verdict;
  }

  startup(containerId: string): ProbeVerdict | undefined {
    return this.#workers.get(workerKey(containerId, 'startup'))?.tally.verdict;
  }

  /** Whether a running container takes requests as far as its readiness probe goes; true without one. */
  isReady(containerId: string): boolean {
    const worker = this.#workers.get(workerKey(containerId, 'readiness'));
    return worker === undefined || worker.tally.verdict === 'success';
  }

  /** Whether a running container has started as far as its startup probe goes; true without one. */
  isStarted(containerId: string): boolean {
    const worker = this.#workers.get(workerKey(containerId, 'startup'));
    return worker === undefined || worker.tally.verdict === 'success';
  }

  /** Begins probing containers that run and stops probing those that do not. */
  sync(pod: Pod, status: PodRuntimeStatus): void {
    const { uid } = pod.metadata;
    const wanted = new Set<string>();
    for (const { container, role } of allContainers(pod)) {
      if (role === 'ephemeral' || (role === 'init' && !isSidecar(container))) continue;
      const instance = status.containers.find(({ name, state }) => name === container.name && state === 'running');
      if (instance === undefined) continue;
      for (const kind of KINDS) {
        const probe = probeOf(container, kind);
        if (probe === undefined) continue;
        const key = workerKey(instance.id, kind);
        wanted.add(key);
        if (!this.#workers.has(key)) this.#workers.set(key, this.#begin(pod, container, instance, status, kind, probe));
      }
    }
    this.#dropExcept(uid, wanted);
  }

  /** Stops liveness and startup probes of a Pod that is ending; readiness goes on until its containers have ended. */
  stopLiveness(uid: string): void {
    for (const [key, worker] of this.#workers) {
      if (worker.uid !== uid || worker.kind === 'readiness') continue;
      worker.stop();
      // A startup verdict is still what readiness hangs on.
      if (worker.kind === 'liveness') this.#workers.delete(key);
    }
  }

  /** Stops all probes of a Pod. */
  forget(uid: string): void {
    this.#dropExcept(uid, new Set());
  }

  stop(): void {
    for (const worker of this.#workers.values()) worker.stop();
    this.#workers.clear();
  }

  #dropExcept(uid: string, wanted: ReadonlySet<string>): void {
    for (const [key, worker] of this.#workers) {
      if (worker.uid !== uid || wanted.has(key)) continue;
      worker.stop();
      this.#workers.delete(key);
    }
  }

  /** What counts for an instance that was running before this process began: what the API says of it. */
  #initial(pod: Pod, instance: ContainerRuntimeStatus, kind: ProbeKind): ProbeVerdict | undefined {
    const id = containerIdText(instance.id);
    const told = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find(
      ({ containerID, state }) => containerID === id && state.running !== undefined,
    );
    if (kind === 'readiness' && told?.ready === true) return 'success';
    if (kind === 'startup' && told?.started === true) return 'success';
    return INITIAL_VERDICT[kind];
  }

  #begin(
    pod: Pod,
    container: Container,
    instance: ContainerRuntimeStatus,
    status: PodRuntimeStatus,
    kind: ProbeKind,
    probe: Probe,
  ): Worker {
    const { clock, onChange, runtime, run = runProbe } = this.#options;
    const { uid } = pod.metadata;
    const thresholds = { success: probe.successThreshold ?? 1, failure: probe.failureThreshold ?? 3 };
    const tally = new ProbeTally(thresholds, this.#initial(pod, instance, kind));
    const about = referenceTo(pods, pod, containerFieldPath(pod, container.name));
    const tools: ProbeTools = { runtime, clock };
    const podIP = status.sandboxes[0]?.ips[0] ?? pod.status.hostIP ?? '127.0.0.1';
    const target: ProbeTarget = { container, containerId: instance.id, podIP };
    const period = Math.max(1, probe.periodSeconds ?? 10) * 1000;
    let stopped = false;
    let cancel: Cancel = () => {};

    const step = async (): Promise<void> => {
      // A startup probe has done its work once it has said yes or no for good.
      // A container that is to be restarted is left alone until it has gone.
      if (kind === 'liveness' && tally.verdict === 'failure') return;
      if (kind === 'startup' ? tally.verdict !== undefined : !this.isStarted(instance.id)) return;
      const result = await run(tools, probe, target);
      if (stopped || result === undefined) return;
      if (result.verdict === 'failure') this.#tellUnhealthy(about, kind, result);
      if (tally.add(result.verdict)) onChange(uid);
    };
    const schedule = (delay: number): void => {
      cancel = clock.setTimeout(() => {
        void step().finally(() => {
          if (!stopped) schedule(period);
        });
      }, delay);
    };
    const sinceStart = clock.now() - instance.startedAt;
    schedule(Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - sinceStart));
    return {
      uid,
      kind,
      tally,
      stop() {
        stopped = true;
        cancel();
      },
    };
  }

  #tellUnhealthy(about: ObjectRef, kind: ProbeKind, result: ProbeResult): void {
    const name = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
    this.#options.events.event(about, 'Warning', 'Unhealthy', `${name} probe failed: ${result.output}`);
  }
}

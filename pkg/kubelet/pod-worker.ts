import type { Pod } from '../api/generated/core-v1.ts';
import { parseTime } from '../apimachinery/time.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { EventRecorder } from '../client/events.ts';
import { type AdmissionRefusal, refusedStatus } from './admit-pod.ts';
import type { WaitingReason } from './container-status.ts';
import type { PodPlace } from './field-ref.ts';
import { planGarbage } from './garbage.ts';
import { computePodActions, type PodActions } from './pod-actions.ts';
import type { PodCgroups } from './pod-cgroups.ts';
import { isTerminalPhase, podKey } from './pod-info.ts';
import type { ApplyOutcome, PodRuntime } from './pod-runtime.ts';
import type { ProbeManager } from './probes/probe-manager.ts';
import type { ReferencedObjects } from './referenced-objects.ts';
import type { RuntimeState } from './runtime-state.ts';
import { isAnythingRunning, noRuntimeStatus, type PodRuntimeStatus } from './runtime-status.ts';
import { tell } from './runtime-tools.ts';
import { podStatus } from './status.ts';
import type { StatusManager } from './status-manager.ts';
import { type MountedVolumes, VolumeError, type VolumeManager } from './volumes/volume-manager.ts';

export interface PodWorkerTools {
  readonly podRuntime: PodRuntime;
  readonly state: RuntimeState;
  readonly volumes: VolumeManager;
  readonly probes: ProbeManager;
  readonly statuses: StatusManager;
  readonly cgroups: PodCgroups;
  readonly references: ReferencedObjects;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  /** The node as Pods see it. */
  readonly place: () => Omit<PodPlace, 'podIPs'>;
  /** Why Pods cannot have a network yet; undefined when they can. */
  readonly networkProblem: () => string | undefined;
}

export interface PodWorkerHooks {
  /** Decides whether the Pod may run here; asked before anything is done for it. Nothing counts once `signal` aborts. */
  admit(pod: Pod, signal: AbortSignal): Promise<AdmissionRefusal | undefined>;
  /** Called when nothing of the Pod is left, here and in the API. */
  gone(): void;
}

/**
 * - `syncing`: the Pod is to run; each step brings the runtime nearer to its spec.
 * - `terminating`: its containers are being ended; none is started any more.
 * - `terminated`: nothing of it runs; what it held on the node is let go.
 * - `finished`: nothing is left to do here but to remove its remains once the API has dropped it.
 */
export type PodWorkerState = 'syncing' | 'terminating' | 'terminated' | 'finished';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 20_000;
const DEFAULT_GRACE = 30;

interface Stop {
  /** Seconds it gives. */
  readonly grace: number;
  readonly abort: AbortController;
  outcome: 'running' | 'done' | { readonly error: unknown };
}

/** The life of one Pod on this node. Everything about a Pod happens in its worker, one step at a time. */
export class PodWorker {
  readonly uid: string;
  readonly #tools: PodWorkerTools;
  readonly #log: Logger;
  readonly #hooks: PodWorkerHooks;
  #pod: Pod;
  #state: PodWorkerState;
  #inApi = true;
  /** The API had the Pod's last status before this worker began: there is nothing to add to it. */
  readonly #settled: boolean;
  #refusal: AdmissionRefusal | undefined;
  #failure: { readonly reason: string; readonly message: string } | undefined;
  readonly #waiting = new Map<string, WaitingReason>();
  /** Aborts starting of containers once the Pod is to end. */
  readonly #syncing = new AbortController();
  #stop: Stop | undefined;
  #dirty = false;
  #running = false;
  #ended = false;
  #failures = 0;
  #timer: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(pod: Pod, tools: PodWorkerTools, hooks: PodWorkerHooks) {
    this.uid = pod.metadata.uid;
    this.#pod = pod;
    this.#tools = tools;
    this.#log = tools.log.child('pod', { pod: podKey(pod) });
    this.#hooks = hooks;
    this.#settled = isTerminalPhase(pod.status.phase);
    this.#state = this.#settled ? 'terminating' : 'syncing';
  }

  get pod(): Pod {
    return this.#pod;
  }

  get state(): PodWorkerState {
    return this.#state;
  }

  /** Whether the Pod takes room on the node: it runs, is to run or is being ended. */
  get takesRoom(): boolean {
    if (!this.#inApi || (this.#state !== 'syncing' && this.#state !== 'terminating')) return false;
    return !isTerminalPhase(this.#tools.statuses.current(this.#pod).status.phase);
  }

  /** The API has a new form of the Pod. */
  update(pod: Pod): void {
    this.#pod = pod;
    this.#tools.statuses.observe(pod);
    this.#noticeEnding();
    this.wake();
  }

  /** The API has dropped the Pod; `pod` is its last form. */
  removed(pod: Pod): void {
    this.#pod = pod;
    this.#inApi = false;
    this.#noticeEnding();
    this.wake();
  }

  /** Has the worker look again: something the Pod depends on has changed. */
  wake(): void {
    this.#dirty = true;
    if (!this.#running && !this.#ended) void this.#work();
  }

  /** Stops working for good; the Pod's containers go on. */
  end(): void {
    this.#ended = true;
    this.#syncing.abort();
    this.#stop?.abort.abort();
    this.#timer?.cancel();
  }

  #noticeEnding(): void {
    const ending = !this.#inApi || this.#pod.metadata.deletionTimestamp !== undefined;
    if (ending || isTerminalPhase(this.#pod.status.phase)) this.#beginTermination();
  }

  #beginTermination(): void {
    if (this.#state !== 'syncing') return;
    this.#state = 'terminating';
    this.#syncing.abort();
    this.#tools.probes.stopLiveness(this.uid);
  }

  async #work(): Promise<void> {
    this.#running = true;
    while (this.#dirty && !this.#ended) {
      this.#dirty = false;
      try {
        await this.#step();
        this.#failures = 0;
      } catch (error) {
        if (this.#ended) break;
        // Starting was broken off because the Pod is to end: that is no failure.
        if (this.#dirty && this.#syncing.signal.aborted && this.#stop === undefined) continue;
        const delay = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS);
        this.#failures += 1;
        this.#log.warn('pod not synced, trying again', {
          state: this.#state,
          in: `${delay}ms`,
          error: errorText(error),
        });
        this.#wakeAt(this.#tools.clock.now() + delay);
      }
    }
    this.#running = false;
  }

  #step(): Promise<void> {
    switch (this.#state) {
      case 'syncing':
        return this.#sync();
      case 'terminating':
        return this.#terminate();
      case 'terminated':
        return this.#cleanUp();
      case 'finished':
        return this.#finish();
    }
  }

  #runtime(): PodRuntimeStatus {
    return this.#tools.state.get(this.uid) ?? noRuntimeStatus(this.#pod.metadata);
  }

  /** Wakes the worker at `at` (ms since the epoch) at the latest. */
  #wakeAt(at: number): void {
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.cancel();
    const cancel = this.#tools.clock.setTimeout(() => {
      this.#timer = undefined;
      this.wake();
    }, at - this.#tools.clock.now());
    this.#timer = { at, cancel };
  }

  /** Computes the status from what is known now and hands it on to be written. Returns its phase. */
  #report(runtime: PodRuntimeStatus): string | undefined {
    if (this.#settled || !this.#inApi) return this.#pod.status.phase;
    const { clock, place, probes, statuses } = this.#tools;
    if (this.#refusal !== undefined) {
      statuses.set(this.#pod, refusedStatus(statuses.current(this.#pod), this.#refusal, clock.now()));
      return 'Failed';
    }
    const over = this.#state !== 'syncing' && !runtime.containers.some(({ state }) => state === 'running');
    const status = podStatus({
      pod: statuses.current(this.#pod),
      runtime,
      waiting: this.#waiting,
      isReady: (id) => probes.isReady(id),
      isStarted: (id) => probes.isStarted(id),
      hostIPs: place().hostIPs,
      now: clock.now(),
      over,
      failure: this.#failure,
    });
    statuses.set(this.#pod, status);
    return status.phase;
  }

  async #sync(): Promise<void> {
    const { cgroups, probes, state } = this.#tools;
    this.#refusal = await this.#hooks.admit(this.#pod, this.#syncing.signal);
    // It may have been deleted meanwhile.
    if (this.#state !== 'syncing') return;
    const pod = this.#pod;
    const runtime = this.#runtime();
    if (this.#refusal === undefined) {
      probes.sync(pod, runtime);
      this.#checkDeadline();
    } else {
      this.#log.info('pod refused', { ...this.#refusal });
      tell(this.#tools.events, pod, undefined, 'Warning', this.#refusal.reason, this.#refusal.message);
    }
    if (isTerminalPhase(this.#report(runtime))) {
      this.#beginTermination();
      this.#dirty = true;
      return;
    }
    await this.#tools.references.loaded(pod, this.#syncing.signal);
    const volumes = await this.#setUpVolumes(pod);
    if (volumes.refreshAt !== undefined) this.#wakeAt(volumes.refreshAt);
    const actions = computePodActions(pod, runtime, probes);
    if (actions.createSandbox) this.#requireNetwork(pod);
    await cgroups.ensure(pod);
    const outcome = await this.#apply(actions, runtime, volumes);
    for (const [name, failure] of outcome.starts) {
      if (failure === undefined) this.#waiting.delete(name);
      else this.#waiting.set(name, failure);
    }
    if (outcome.retryAt !== undefined) this.#wakeAt(outcome.retryAt);
    const acted =
      actions.killPod || actions.createSandbox || outcome.starts.size > 0 || actions.containersToKill.length > 0;
    if (!acted) return;
    const after = (await state.refresh(this.uid)) ?? noRuntimeStatus(pod.metadata);
    probes.sync(pod, after);
    this.#report(after);
    await this.#collectGarbage(after);
  }

  async #apply(actions: PodActions, runtime: PodRuntimeStatus, volumes: MountedVolumes): Promise<ApplyOutcome> {
    const { podRuntime, references, state, statuses } = this.#tools;
    const pod = statuses.current(this.#pod);
    try {
      return await podRuntime.apply(pod, actions, runtime, {
        volumes: volumes.volumes,
        data: references.of(pod.metadata.namespace ?? ''),
        place: this.#tools.place(),
        signal: this.#syncing.signal,
      });
    } catch (error) {
      // Half of it may have been done: the next attempt must see that, or it would make a second sandbox.
      await state.refresh(this.uid);
      throw error;
    }
  }

  async #setUpVolumes(pod: Pod): Promise<MountedVolumes> {
    try {
      return await this.#tools.volumes.setUp(pod, { ...this.#tools.place(), podIPs: [] });
    } catch (error) {
      if (error instanceof VolumeError)
        tell(this.#tools.events, pod, undefined, 'Warning', 'FailedMount', errorText(error));
      throw error;
    }
  }

  #requireNetwork(pod: Pod): void {
    const problem = this.#tools.networkProblem();
    if (problem === undefined || pod.spec.hostNetwork === true) return;
    tell(this.#tools.events, pod, undefined, 'Warning', 'NetworkNotReady', `network is not ready: ${problem}`);
    throw new Error(`network is not ready: ${problem}`);
  }

  /** Fails a Pod that has been active for longer than it may. */
  #checkDeadline(): void {
    const { activeDeadlineSeconds } = this.#pod.spec;
    const { startTime } = this.#tools.statuses.current(this.#pod).status;
    if (activeDeadlineSeconds === undefined || startTime === undefined) return;
    const deadline = (parseTime(startTime) ?? 0) + activeDeadlineSeconds * 1000;
    if (this.#tools.clock.now() < deadline) {
      this.#wakeAt(deadline);
      return;
    }
    const message = 'Pod was active on the node longer than the specified deadline';
    if (this.#failure === undefined)
      tell(this.#tools.events, this.#pod, undefined, 'Normal', 'DeadlineExceeded', message);
    this.#failure = { reason: 'DeadlineExceeded', message };
  }

  async #collectGarbage(runtime: PodRuntimeStatus): Promise<void> {
    const { containers, sandboxIds } = planGarbage(runtime);
    if (containers.length === 0 && sandboxIds.length === 0) return;
    await this.#tools.podRuntime.removeContainers(runtime, containers);
    await this.#tools.podRuntime.removeSandboxes(sandboxIds);
    await this.#tools.state.refresh(this.uid);
  }

  /** Seconds the Pod's containers get to end. */
  #grace(): number {
    const { deletionGracePeriodSeconds } = this.#pod.metadata;
    return deletionGracePeriodSeconds ?? this.#pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE;
  }

  async #terminate(): Promise<void> {
    const grace = this.#grace();
    // A deletion repeated with less patience takes over from the one in progress.
    if (this.#stop === undefined || grace < this.#stop.grace) this.#beginStop(grace);
    this.#report(this.#runtime());
    const outcome = this.#stop?.outcome;
    if (outcome === 'running') return;
    if (outcome !== undefined && outcome !== 'done') {
      this.#stop = undefined;
      throw outcome.error;
    }
    const runtime = (await this.#tools.state.refresh(this.uid)) ?? noRuntimeStatus(this.#pod.metadata);
    if (isAnythingRunning(runtime)) {
      this.#stop = undefined;
      throw new Error('containers are still running after they were stopped');
    }
    this.#state = 'terminated';
    this.#dirty = true;
  }

  /** Ends the containers in the background, so that the worker hears of changes meanwhile. */
  #beginStop(grace: number): void {
    this.#stop?.abort.abort();
    const stop: Stop = { grace, abort: new AbortController(), outcome: 'running' };
    this.#stop = stop;
    this.#tools.podRuntime.stop(this.#pod, this.#runtime(), grace, stop.abort.signal).then(
      () => {
        stop.outcome = 'done';
        if (this.#stop === stop) this.wake();
      },
      (error: unknown) => {
        stop.outcome = { error };
        if (this.#stop === stop) this.wake();
      },
    );
  }

  async #cleanUp(): Promise<void> {
    const { cgroups, probes, references, volumes } = this.#tools;
    probes.forget(this.uid);
    references.release(this.uid);
    this.#report(this.#runtime());
    await cgroups.remove(this.uid);
    // Last, because the Pod's folder is what a later kedge would know the rest by.
    await volumes.tearDown(this.uid);
    this.#state = 'finished';
    this.#dirty = true;
  }

  /** A completed Pod keeps its dead containers, for their logs, until it is deleted. */
  async #finish(): Promise<void> {
    if (this.#inApi && this.#pod.metadata.deletionTimestamp === undefined) return;
    if (this.#inApi) this.#tools.statuses.finish(this.#pod);
    const runtime = this.#tools.state.get(this.uid);
    if (runtime !== undefined) {
      await this.#tools.podRuntime.remove(runtime);
      await this.#tools.state.refresh(this.uid);
    }
    if (this.#inApi) return;
    this.end();
    this.#hooks.gone();
  }
}

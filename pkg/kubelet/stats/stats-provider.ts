import { availableParallelism, totalmem } from 'node:os';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { metricText } from '../../base/metrics-text.ts';
import { versionInfo } from '../../base/version.ts';
import type { ImageService, RuntimeService } from '../../cri/services.ts';
import { hasGrpcCode } from '../../grpc/error.ts';
import { type FileSystemUsage, readFileSystemUsage, readMachineUsage } from '../../host/usage.ts';
import { noRuntimeStatus, type PodRuntimeStatus } from '../runtime-status.ts';
import { cadvisorMetrics } from './cadvisor-metrics.ts';
import { type PodUsage, podUsages, type RuntimeStats } from './pod-usage.ts';
import { resourceMetrics } from './resource-metrics.ts';
import { type NodeUsage, summaryOf } from './summary.ts';
import { UsageRates } from './usage-rates.ts';

export interface StatsProviderOptions {
  readonly runtime: Pick<RuntimeService, 'listContainerStats' | 'listPodSandboxStats' | 'podSandboxStats'>;
  readonly images: Pick<ImageService, 'imageFsInfo'>;
  readonly runtimeOf: (uid: string) => PodRuntimeStatus | undefined;
  readonly pods: () => readonly Pod[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** The kubelet's folder. */
  readonly root: string;
}

/** What Pods and the node use: looked up when somebody asks and at no other time. */
export class StatsProvider {
  readonly #options: StatsProviderOptions;
  readonly #rates = new UsageRates();
  /** The runtime does not account for Pods: it is not asked for them again. */
  #containersOnly = false;

  constructor(options: StatsProviderOptions) {
    this.#options = options;
  }

  /** The document of `/stats/summary`. */
  async summary(): Promise<object> {
    const { clock, nodeName, root } = this.#options;
    const [machine, fileSystem, images, pods] = await Promise.all([
      readMachineUsage(),
      readFileSystemUsage(root),
      this.#imageFileSystem(),
      this.#pods(),
    ]);
    return summaryOf({ name: nodeName, at: clock.now(), machine, fileSystem, images }, pods, this.#rates);
  }

  /** The text of `/metrics/resource`. */
  async resourceMetrics(): Promise<string> {
    const [machine, pods] = await Promise.all([readMachineUsage(), this.#pods()]);
    return resourceMetrics(this.#options.clock.now(), machine, pods);
  }

  /** The text of `/metrics/cadvisor`. */
  async cadvisorMetrics(): Promise<string> {
    const [machine, pods] = await Promise.all([readMachineUsage(), this.#pods()]);
    const facts = { ...machine, cpus: availableParallelism(), memoryBytes: totalmem() };
    return cadvisorMetrics(this.#options.clock.now(), facts, pods);
  }

  /** The text of `/metrics`: the kubelet about itself. */
  kubeletMetrics(): string {
    const pods = this.#options.pods();
    const statuses = pods.map((pod) => this.#runtimeOf(pod));
    const containers = new Map<string, number>();
    for (const { state } of statuses.flatMap((status) => status.containers)) {
      containers.set(state, (containers.get(state) ?? 0) + 1);
    }
    const { major, minor, gitVersion, gitCommit, platform } = versionInfo;
    const build = { major, minor, git_version: gitVersion, git_commit: gitCommit, platform };
    const cpu = process.cpuUsage();
    return [
      metricText('kubelet_node_name', 'gauge', "[ALPHA] The node's name. The count is always 1.", [
        { labels: { node: this.#options.nodeName }, value: 1 },
      ]),
      metricText('kubelet_running_pods', 'gauge', '[BETA] Number of pods that have a running pod sandbox', [
        { value: statuses.filter(({ sandboxes }) => sandboxes.some(({ ready }) => ready)).length },
      ]),
      metricText(
        'kubelet_running_containers',
        'gauge',
        '[BETA] Number of containers currently running',
        [...containers].map(([state, value]) => ({ labels: { container_state: state }, value })),
      ),
      metricText('kubelet_active_pods', 'gauge', '[ALPHA] The number of pods the kubelet considers active', [
        { value: pods.length },
      ]),
      metricText(
        'kubernetes_build_info',
        'gauge',
        "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit and platform.",
        [{ labels: build, value: 1 }],
      ),
      metricText('process_cpu_seconds_total', 'counter', 'Total user and system CPU time spent in seconds.', [
        { value: (cpu.user + cpu.system) / 1e6 },
      ]),
      metricText('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', [
        { value: process.memoryUsage.rss() },
      ]),
      metricText('process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.', [
        { value: Math.round(this.#options.clock.now() / 1000 - process.uptime()) },
      ]),
    ].join('');
  }

  #runtimeOf(pod: Pod): PodRuntimeStatus {
    return this.#options.runtimeOf(pod.metadata.uid) ?? noRuntimeStatus(pod.metadata);
  }

  async #pods(): Promise<PodUsage[]> {
    const stats = await this.#runtimeStats();
    return podUsages(stats, this.#options.pods(), (pod) => this.#runtimeOf(pod));
  }

  async #runtimeStats(): Promise<RuntimeStats> {
    const { runtime, log } = this.#options;
    if (!this.#containersOnly) {
      try {
        return { sandboxes: (await runtime.listPodSandboxStats({})).stats, containers: [] };
      } catch (error) {
        if (hasGrpcCode(error, 'UNIMPLEMENTED')) this.#containersOnly = true;
        else {
          // Releases of containerd fail as a whole when one sandbox has ended, as that of a finished Job has. Under
          // systemd and cgroup v2 some fail for every sandbox, but know what its containers use.
          log.debug('no stats of all sandboxes', { error: errorText(error) });
          const [sandboxes, { stats }] = await Promise.all([this.#sandboxesOneByOne(), runtime.listContainerStats({})]);
          return { sandboxes, containers: stats };
        }
      }
    }
    return { sandboxes: [], containers: (await runtime.listContainerStats({})).stats };
  }

  async #sandboxesOneByOne(): Promise<RuntimeStats['sandboxes']> {
    const { runtime, pods } = this.#options;
    const ready = pods().flatMap((pod) => this.#runtimeOf(pod).sandboxes.filter((sandbox) => sandbox.ready));
    const answers = await Promise.allSettled(ready.map(({ id }) => runtime.podSandboxStats({ podSandboxId: id })));
    return answers.flatMap((answer) =>
      answer.status === 'fulfilled' && answer.value.stats !== undefined ? [answer.value.stats] : [],
    );
  }

  async #imageFileSystem(): Promise<NodeUsage['images']> {
    const { imageFilesystems } = await this.#options.images.imageFsInfo({});
    const [first] = imageFilesystems;
    const path = first?.fsId?.mountpoint;
    if (first === undefined || path === undefined) return undefined;
    const fileSystem: FileSystemUsage = await readFileSystemUsage(path);
    return { fileSystem, used: first.usedBytes?.value ?? 0, inodes: first.inodesUsed?.value ?? 0 };
  }
}

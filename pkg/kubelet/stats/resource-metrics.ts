import { type MetricSample, metricText } from '../../base/metrics-text.ts';
import type { MachineUsage } from '../../host/usage.ts';
import type { ContainerUsage, PodUsage } from './pod-usage.ts';

const NANOS_PER_SECOND = 1e9;

/** The text of `/metrics/resource`, which the metrics API is made of; metrics and labels are upstream's. */
export function resourceMetrics(at: number, machine: MachineUsage, pods: readonly PodUsage[]): string {
  const ofPods = (sample: (pod: PodUsage) => MetricSample | undefined): MetricSample[] =>
    pods.flatMap((pod) => {
      const made = sample(pod);
      return made === undefined ? [] : [{ labels: { namespace: pod.namespace, pod: pod.name }, ...made }];
    });
  const ofContainers = (sample: (container: ContainerUsage) => MetricSample | undefined): MetricSample[] =>
    pods.flatMap((pod) =>
      pod.containers.flatMap((container) => {
        const made = sample(container);
        const labels = { container: container.name, namespace: pod.namespace, pod: pod.name };
        return made === undefined ? [] : [{ labels, ...made }];
      }),
    );
  const seconds = ({ cpu }: PodUsage | ContainerUsage): MetricSample | undefined =>
    cpu && { value: cpu.nanos / NANOS_PER_SECOND, at: cpu.at };
  const workingSet = ({ memory }: PodUsage | ContainerUsage): MetricSample | undefined =>
    memory && { value: memory.workingSet, at: memory.at };

  return [
    metricText(
      'container_cpu_usage_seconds_total',
      'counter',
      '[STABLE] Cumulative cpu time consumed by the container in core-seconds',
      ofContainers(seconds),
    ),
    metricText(
      'container_memory_working_set_bytes',
      'gauge',
      '[STABLE] Current working set of the container in bytes',
      ofContainers(workingSet),
    ),
    metricText(
      'container_start_time_seconds',
      'gauge',
      '[STABLE] Start time of the container since unix epoch in seconds',
      ofContainers(({ startedAt }) => ({ value: startedAt / 1000 })),
    ),
    metricText(
      'node_cpu_usage_seconds_total',
      'counter',
      '[STABLE] Cumulative cpu time consumed by the node in core-seconds',
      [{ value: machine.cpuNanos / NANOS_PER_SECOND, at }],
    ),
    metricText('node_memory_working_set_bytes', 'gauge', '[STABLE] Current working set of the node in bytes', [
      { value: machine.memory.workingSet, at },
    ]),
    metricText(
      'pod_cpu_usage_seconds_total',
      'counter',
      '[STABLE] Cumulative cpu time consumed by the pod in core-seconds',
      ofPods(seconds),
    ),
    metricText(
      'pod_memory_working_set_bytes',
      'gauge',
      '[STABLE] Current working set of the pod in bytes',
      ofPods(workingSet),
    ),
    metricText(
      'resource_scrape_error',
      'gauge',
      '[STABLE] 1 if there was an error while getting container metrics, 0 otherwise',
      [{ value: 0 }],
    ),
  ].join('');
}

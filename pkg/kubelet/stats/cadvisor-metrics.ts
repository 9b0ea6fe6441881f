import { type MetricLabels, type MetricSample, metricText } from '../../base/metrics-text.ts';
import type { InterfaceUsage, MachineUsage } from '../../host/usage.ts';
import type { ContainerMemory, CpuUsage, PodUsage } from './pod-usage.ts';

/** Of a container, a Pod (no container name) or the machine (`id` is `/`). */
interface Subject {
  readonly labels: MetricLabels;
  readonly cpu: CpuUsage | undefined;
  readonly memory: ContainerMemory | undefined;
  readonly startedAt: number;
  readonly interfaces: readonly InterfaceUsage[];
}

const label = (container: string, id: string, image: string, name: string, pod?: PodUsage): MetricLabels => ({
  container,
  id,
  image,
  name,
  namespace: pod?.namespace ?? '',
  pod: pod?.name ?? '',
});

function subjectsOf(at: number, machine: MachineUsage, pods: readonly PodUsage[]): Subject[] {
  const root: Subject = {
    labels: label('', '/', '', ''),
    cpu: { at, nanos: machine.cpuNanos },
    memory: { at, ...machine.memory },
    startedAt: machine.bootedAt,
    interfaces: machine.interfaces,
  };
  const parts = pods.flatMap((pod): Subject[] => [
    { ...pod, labels: label('', `/kubepods/pod${pod.uid}`, '', '', pod) },
    ...pod.containers.map(({ id, name, image, cpu, memory, startedAt }) => ({
      labels: label(name, `/kubepods/pod${pod.uid}/${id}`, image, id, pod),
      cpu,
      memory,
      startedAt,
      interfaces: [],
    })),
  ]);
  return [root, ...parts];
}

/** The text of `/metrics/cadvisor`: of cAdvisor's metrics those that everyday dashboards are made of. */
export function cadvisorMetrics(
  at: number,
  machine: MachineUsage & { readonly cpus: number; readonly memoryBytes: number },
  pods: readonly PodUsage[],
): string {
  const subjects = subjectsOf(at, machine, pods);
  const each = (value: (subject: Subject) => number | undefined): MetricSample[] =>
    subjects.flatMap((subject) => {
      const found = value(subject);
      return found === undefined ? [] : [{ labels: subject.labels, value: found, at: subject.cpu?.at ?? at }];
    });
  const eachInterface = (value: (usage: InterfaceUsage) => number): MetricSample[] =>
    subjects.flatMap(({ labels, interfaces }) =>
      interfaces.map((usage) => ({ labels: { ...labels, interface: usage.name }, value: value(usage), at })),
    );
  const counters: readonly [string, string, MetricSample[]][] = [
    [
      'container_cpu_usage_seconds_total',
      'Cumulative cpu time consumed in seconds.',
      each(({ cpu }) => cpu && cpu.nanos / 1e9).map((sample) => ({
        ...sample,
        labels: { ...sample.labels, cpu: 'total' },
      })),
    ],
    [
      'container_network_receive_bytes_total',
      'Cumulative count of bytes received',
      eachInterface(({ rxBytes }) => rxBytes),
    ],
    [
      'container_network_receive_errors_total',
      'Cumulative count of errors encountered while receiving',
      eachInterface(({ rxErrors }) => rxErrors),
    ],
    [
      'container_network_transmit_bytes_total',
      'Cumulative count of bytes transmitted',
      eachInterface(({ txBytes }) => txBytes),
    ],
    [
      'container_network_transmit_errors_total',
      'Cumulative count of errors encountered while transmitting',
      eachInterface(({ txErrors }) => txErrors),
    ],
  ];
  const gauges: readonly [string, string, MetricSample[]][] = [
    ['container_last_seen', 'Last time a container was seen by the exporter', each(() => Math.floor(at / 1000))],
    ['container_memory_rss', 'Size of RSS in bytes.', each(({ memory }) => memory?.rss)],
    [
      'container_memory_usage_bytes',
      'Current memory usage in bytes, including all memory regardless of when it was accessed',
      each(({ memory }) => memory?.usage),
    ],
    ['container_memory_working_set_bytes', 'Current working set in bytes.', each(({ memory }) => memory?.workingSet)],
    [
      'container_start_time_seconds',
      'Start time of the container since unix epoch in seconds.',
      each(({ startedAt }) => startedAt / 1000),
    ],
    ['machine_cpu_cores', 'Number of logical CPU cores.', [{ value: machine.cpus }]],
    ['machine_memory_bytes', 'Amount of memory installed on the machine.', [{ value: machine.memoryBytes }]],
  ];
  return [
    ...counters.map(([name, help, samples]) => metricText(name, 'counter', help, samples)),
    ...gauges.map(([name, help, samples]) => metricText(name, 'gauge', help, samples)),
  ].join('');
}

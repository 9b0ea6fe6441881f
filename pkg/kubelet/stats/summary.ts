import { formatTime } from '../../apimachinery/time.ts';
import type { FileSystemUsage, InterfaceUsage, MachineUsage } from '../../host/usage.ts';
import type { ContainerMemory, ContainerUsage, CpuUsage, PodUsage } from './pod-usage.ts';
import type { UsageRates } from './usage-rates.ts';

export interface NodeUsage {
  readonly name: string;
  /** Milliseconds since the epoch: when all of this was looked at. */
  readonly at: number;
  readonly machine: MachineUsage;
  /** The file system of the kubelet's folder. */
  readonly fileSystem: FileSystemUsage;
  /** That of the images, and what they use of it. */
  readonly images: { readonly fileSystem: FileSystemUsage; readonly used: number; readonly inodes: number } | undefined;
}

/** Key of the machine among the rates. */
const MACHINE = 'node';

function fsStats(at: number, usage: FileSystemUsage, used = usage.used, inodesUsed?: number): object {
  return {
    time: formatTime(at),
    availableBytes: usage.available,
    capacityBytes: usage.capacity,
    usedBytes: used,
    inodesFree: usage.inodesFree,
    inodes: usage.inodes,
    inodesUsed: inodesUsed ?? usage.inodes - usage.inodesFree,
  };
}

function networkStats(at: number, interfaces: readonly InterfaceUsage[]): object {
  const [first] = interfaces;
  return { time: formatTime(at), ...first, interfaces };
}

function cpuStats(cpu: CpuUsage, nanoCores: number | undefined): object {
  return {
    time: formatTime(cpu.at),
    ...(nanoCores === undefined ? {} : { usageNanoCores: nanoCores }),
    usageCoreNanoSeconds: cpu.nanos,
  };
}

function memoryStats(memory: ContainerMemory): object {
  return {
    time: formatTime(memory.at),
    usageBytes: memory.usage,
    workingSetBytes: memory.workingSet,
    rssBytes: memory.rss,
    pageFaults: memory.pageFaults,
    majorPageFaults: memory.majorPageFaults,
  };
}

function nodeStats({ name, at, machine, fileSystem, images }: NodeUsage, rates: UsageRates): object {
  const cpu = { at, nanos: machine.cpuNanos };
  const time = formatTime(at);
  const imageFs = images && fsStats(at, images.fileSystem, images.used, images.inodes);
  return {
    nodeName: name,
    startTime: formatTime(machine.bootedAt),
    cpu: cpuStats(cpu, rates.rate(MACHINE, cpu)),
    memory: { ...memoryStats({ at, ...machine.memory }), availableBytes: machine.memory.available },
    swap: { time, swapAvailableBytes: machine.swapAvailable, swapUsageBytes: machine.swapUsage },
    network: networkStats(at, machine.interfaces),
    fs: fsStats(at, fileSystem),
    ...(imageFs === undefined ? {} : { runtime: { imageFs, containerFs: imageFs } }),
  };
}

function containerStats(usage: ContainerUsage, node: NodeUsage, rates: UsageRates): object {
  const { name, startedAt, cpu, memory, rootfs } = usage;
  const { images } = node;
  return {
    name,
    startTime: formatTime(startedAt),
    ...(cpu === undefined ? {} : { cpu: cpuStats(cpu, rates.rate(usage.id, cpu)) }),
    ...(memory === undefined ? {} : { memory: memoryStats(memory) }),
    ...(rootfs === undefined || images === undefined
      ? {}
      : { rootfs: fsStats(node.at, images.fileSystem, rootfs.bytes, rootfs.inodes) }),
  };
}

function podStats(usage: PodUsage, node: NodeUsage, rates: UsageRates): object {
  const { name, namespace, uid, cpu, memory, processes } = usage;
  const used = usage.containers.reduce((sum, { rootfs }) => sum + (rootfs?.bytes ?? 0), 0);
  const inodes = usage.containers.reduce((sum, { rootfs }) => sum + (rootfs?.inodes ?? 0), 0);
  return {
    podRef: { name, namespace, uid },
    startTime: formatTime(usage.startedAt),
    containers: usage.containers.map((container) => containerStats(container, node, rates)),
    ...(cpu === undefined ? {} : { cpu: cpuStats(cpu, rates.rate(usage.id, cpu)) }),
    ...(memory === undefined ? {} : { memory: memoryStats(memory) }),
    ...(usage.interfaces.length === 0 ? {} : { network: networkStats(node.at, usage.interfaces) }),
    'ephemeral-storage': fsStats(node.at, node.fileSystem, used, inodes),
    ...(processes === undefined ? {} : { process_stats: { process_count: processes } }),
  };
}

/** The document of `/stats/summary` (stats/v1alpha1 Summary). */
export function summaryOf(node: NodeUsage, pods: readonly PodUsage[], rates: UsageRates): object {
  const summary = { node: nodeStats(node, rates), pods: pods.map((pod) => podStats(pod, node, rates)) };
  rates.finish();
  return summary;
}

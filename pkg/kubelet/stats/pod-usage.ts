import type { Pod } from '../../api/generated/core-v1.ts';
import { parseTime } from '../../apimachinery/time.ts';
import type { Message } from '../../cri/types.ts';
import type { InterfaceUsage } from '../../host/usage.ts';
import type { ContainerRuntimeStatus, PodRuntimeStatus } from '../runtime-status.ts';

/** CPU time used since the start, nanoseconds; `at` in milliseconds since the epoch. */
export interface CpuUsage {
  readonly at: number;
  readonly nanos: number;
}

/** Bytes. */
export interface ContainerMemory {
  readonly at: number;
  readonly usage: number;
  readonly workingSet: number;
  readonly rss: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
}

export interface ContainerUsage {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly logPath: string;
  readonly cpu: CpuUsage | undefined;
  readonly memory: ContainerMemory | undefined;
  /** What it has written to its own file system. */
  readonly rootfs: { readonly bytes: number; readonly inodes: number } | undefined;
}

export interface PodUsage {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** The sandbox's id. */
  readonly id: string;
  readonly startedAt: number;
  readonly cpu: CpuUsage | undefined;
  readonly memory: ContainerMemory | undefined;
  /** The default interface first; empty on the host's network. */
  readonly interfaces: readonly InterfaceUsage[];
  readonly processes: number | undefined;
  readonly containers: readonly ContainerUsage[];
}

const millis = (nanos: bigint): number => Number(nanos / 1_000_000n);

function cpuOf(cpu: Message<'CpuUsage'> | undefined): CpuUsage | undefined {
  if (cpu?.usageCoreNanoSeconds === undefined) return undefined;
  return { at: millis(cpu.timestamp), nanos: cpu.usageCoreNanoSeconds.value };
}

function memoryOf(memory: Message<'MemoryUsage'> | undefined): ContainerMemory | undefined {
  if (memory?.workingSetBytes === undefined) return undefined;
  return {
    at: millis(memory.timestamp),
    usage: memory.usageBytes?.value ?? 0,
    workingSet: memory.workingSetBytes.value,
    rss: memory.rssBytes?.value ?? 0,
    pageFaults: memory.pageFaults?.value ?? 0,
    majorPageFaults: memory.majorPageFaults?.value ?? 0,
  };
}

function interfaceOf(usage: Message<'NetworkInterfaceUsage'>): InterfaceUsage {
  return {
    name: usage.name,
    rxBytes: usage.rxBytes?.value ?? 0,
    rxErrors: usage.rxErrors?.value ?? 0,
    txBytes: usage.txBytes?.value ?? 0,
    txErrors: usage.txErrors?.value ?? 0,
  };
}

function interfacesOf(network: Message<'NetworkUsage'> | undefined): InterfaceUsage[] {
  const first = network?.defaultInterface;
  const others = network?.interfaces.filter(({ name }) => name !== first?.name) ?? [];
  return [...(first === undefined ? [] : [first]), ...others].map(interfaceOf);
}

function containerUsage(stats: Message<'ContainerStats'>, instance: ContainerRuntimeStatus): ContainerUsage {
  const { writableLayer } = stats;
  return {
    id: instance.id,
    name: instance.name,
    image: instance.image,
    startedAt: instance.startedAt,
    logPath: instance.logPath,
    cpu: cpuOf(stats.cpu),
    memory: memoryOf(stats.memory),
    rootfs:
      writableLayer === undefined
        ? undefined
        : { bytes: writableLayer.usedBytes?.value ?? 0, inodes: writableLayer.inodesUsed?.value ?? 0 },
  };
}

/** A Pod's use as the sum of its containers', for runtimes that do not account for Pods. */
function sumOf<T extends CpuUsage | ContainerMemory>(parts: readonly (T | undefined)[]): T | undefined {
  const known = parts.filter((part) => part !== undefined);
  const [first] = known;
  if (first === undefined) return undefined;
  const sum: Record<string, number> = {};
  for (const part of known) {
    for (const [name, value] of Object.entries(part) as [string, number][]) {
      sum[name] = name === 'at' ? Math.max(sum[name] ?? 0, value) : (sum[name] ?? 0) + value;
    }
  }
  return sum as unknown as T;
}

/** What the runtime has said: sandboxes with their containers, or containers alone. */
export interface RuntimeStats {
  readonly sandboxes: readonly Message<'PodSandboxStats'>[];
  readonly containers: readonly Message<'ContainerStats'>[];
}

/**
 * The use of each Pod of `pods` that has a live sandbox, with its running containers: of a restarted container only the
 * instance that runs (upstream: CRI stats provider).
 */
export function podUsages(
  stats: RuntimeStats,
  pods: readonly Pod[],
  runtimeOf: (pod: Pod) => PodRuntimeStatus,
): PodUsage[] {
  const sandboxStats = new Map(stats.sandboxes.map((one) => [one.attributes?.id ?? '', one]));
  const containerStats = new Map<string, Message<'ContainerStats'>>();
  const add = (one: Message<'ContainerStats'>): void => {
    containerStats.set(one.attributes?.id ?? '', one);
  };
  stats.containers.forEach(add);
  for (const { linux } of stats.sandboxes) linux?.containers.forEach(add);

  return pods.flatMap((pod) => {
    const status = runtimeOf(pod);
    const sandbox = status.sandboxes.find(({ ready }) => ready);
    if (sandbox === undefined) return [];
    const containers = status.containers.flatMap((instance) => {
      const one = containerStats.get(instance.id);
      return one === undefined || instance.state !== 'running' ? [] : [containerUsage(one, instance)];
    });
    const linux = sandboxStats.get(sandbox.id)?.linux;
    const { name, namespace = '', uid } = pod.metadata;
    return [
      {
        uid,
        name,
        namespace,
        id: sandbox.id,
        startedAt: parseTime(pod.status.startTime) ?? sandbox.createdAt,
        cpu: cpuOf(linux?.cpu) ?? sumOf(containers.map(({ cpu }) => cpu)),
        memory: memoryOf(linux?.memory) ?? sumOf(containers.map(({ memory }) => memory)),
        interfaces: sandbox.hostNetwork ? [] : interfacesOf(linux?.network),
        processes: linux?.process?.processCount?.value,
        containers,
      },
    ];
  });
}

/** From requests and limits to cgroup values, as upstream's kuberuntime and cm packages have them. Pure. */
import type { Container, Pod, ResourceRequirements } from '../api/generated/core-v1.ts';
import { type QosClass, qosClass } from '../apimachinery/qos.ts';
import { parseQuantity } from '../apimachinery/quantity.ts';
import type { MessageInit } from '../cri/types.ts';
import { isSidecar } from './pod-info.ts';

const SHARES_PER_CPU = 1024;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
/** Microseconds. */
const QUOTA_PERIOD = 100_000;
const MIN_QUOTA = 1000;

/** cpu.shares of `milliCpu` thousandths of a core. */
export function cpuShares(milliCpu: number): number {
  return Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milliCpu * SHARES_PER_CPU) / 1000)));
}

/** cfs quota in microseconds per QUOTA_PERIOD; 0 for no limit. */
export function cpuQuota(milliCpu: number): number {
  if (milliCpu === 0) return 0;
  return Math.max(MIN_QUOTA, Math.floor((milliCpu * QUOTA_PERIOD) / 1000));
}

/** Millicores, 0 when not given. */
function milliCpu(list: Readonly<Record<string, string>> | undefined): number {
  const text = list?.['cpu'];
  return text === undefined ? 0 : parseQuantity(text).milliValue();
}

/** Bytes, 0 when not given. */
function memoryBytes(list: Readonly<Record<string, string>> | undefined): number {
  const text = list?.['memory'];
  return text === undefined ? 0 : parseQuantity(text).value();
}

function requestedCpu(resources: ResourceRequirements): number {
  return resources.requests?.['cpu'] === undefined ? milliCpu(resources.limits) : milliCpu(resources.requests);
}

function requestedMemory(resources: ResourceRequirements): number {
  return resources.requests?.['memory'] === undefined ? memoryBytes(resources.limits) : memoryBytes(resources.requests);
}

const OOM_GUARANTEED = -997;
const OOM_BEST_EFFORT = 1000;
/** system-node-critical and system-cluster-critical. */
const CRITICAL_PRIORITY = 2_000_000_000;

/** How readily the kernel kills a container when memory runs out: -997 (last) to 1000 (first). */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacity: number): number {
  if ((pod.spec.priority ?? 0) >= CRITICAL_PRIORITY) return OOM_GUARANTEED;
  const qos = qosClass(pod);
  if (qos === 'Guaranteed') return OOM_GUARANTEED;
  if (qos === 'BestEffort') return OOM_BEST_EFFORT;
  const requested = requestedMemory(container.resources);
  const score = 1000 - Math.floor((1000 * requested) / memoryCapacity);
  // Burstable containers stay behind guaranteed ones and before those that asked for nothing.
  return Math.min(OOM_BEST_EFFORT - 1, Math.max(1000 + OOM_GUARANTEED, score));
}

/** What the runtime is told about a container's resources; `memoryCapacity` is the node's, in bytes. */
export function containerResources(
  pod: Pod,
  container: Container,
  memoryCapacity: number,
): MessageInit<'LinuxContainerResources'> {
  const cpuLimit = milliCpu(container.resources.limits);
  const memoryLimit = memoryBytes(container.resources.limits);
  return {
    cpuPeriod: QUOTA_PERIOD,
    cpuQuota: cpuQuota(cpuLimit),
    cpuShares: cpuShares(requestedCpu(container.resources)),
    memoryLimitInBytes: memoryLimit,
    // A memory limit without this would let the container swap as much again.
    memorySwapLimitInBytes: memoryLimit,
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacity),
  };
}

/** The limits of a Pod's or a QoS class's cgroup. */
export interface CgroupLimits {
  readonly cpuShares: number;
  /** Microseconds per 100 ms; undefined for no limit. */
  readonly cpuQuota: number | undefined;
  /** Bytes; undefined for no limit. */
  readonly memoryLimit: number | undefined;
}

/** Sum over the main containers and sidecars, or the largest init container if that is more (KEP-753's rule). */
function effective(pod: Pod, of: (resources: ResourceRequirements) => number): number {
  let sidecars = 0;
  let initPeak = 0;
  for (const init of pod.spec.initContainers ?? []) {
    const value = of(init.resources);
    if (isSidecar(init)) sidecars += value;
    initPeak = Math.max(initPeak, isSidecar(init) ? sidecars : sidecars + value);
  }
  const main = pod.spec.containers.reduce((sum, container) => sum + of(container.resources), 0);
  return Math.max(initPeak, main + sidecars);
}

/** The limits of the whole Pod: a limit holds only when every container has one. */
export function podCgroupLimits(pod: Pod): CgroupLimits {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const limited = (of: (resources: ResourceRequirements) => number): number | undefined => {
    const podLevel = pod.spec.resources === undefined ? 0 : of(pod.spec.resources);
    if (podLevel > 0) return podLevel;
    return containers.every((container) => of(container.resources) > 0) ? effective(pod, of) : undefined;
  };
  const cpuLimit = limited((resources) => milliCpu(resources.limits));
  const podRequest = pod.spec.resources === undefined ? 0 : requestedCpu(pod.spec.resources);
  return {
    cpuShares: cpuShares(podRequest > 0 ? podRequest : effective(pod, requestedCpu)),
    cpuQuota: cpuLimit === undefined ? undefined : cpuQuota(cpuLimit),
    memoryLimit: limited((resources) => memoryBytes(resources.limits)),
  };
}

/** The root of all Pods' cgroups unless the kubelet is told another. */
export const KUBEPODS = '/kubepods';

const QOS_FOLDER: Readonly<Record<QosClass, string>> = {
  Guaranteed: '',
  Burstable: '/burstable',
  BestEffort: '/besteffort',
};

/** Pods' cgroups below `root`, by quality of service: `''` for Guaranteed. */
export const QOS_FOLDERS: readonly string[] = Object.values(QOS_FOLDER);

/** The Pod's cgroup in the naming of the cgroupfs driver: `<root>/burstable/pod<uid>`. */
export function podCgroup(root: string, pod: Pod): string {
  return `${root}${QOS_FOLDER[qosClass(pod)]}/pod${pod.metadata.uid}`;
}

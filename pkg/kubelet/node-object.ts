/** This node's Node object: what the kubelet registers and keeps current. Pure. */
import type { NodeAddress, NodeCondition, NodeStatus, Taint } from '../api/generated/core-v1.ts';
import { Quantity } from '../apimachinery/quantity.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { MachineFacts } from '../host/machine.ts';

export interface NodeIdentity {
  readonly name: string;
  /** Internal addresses, first family first. */
  readonly ips: readonly string[];
  /** Addresses by which the world reaches the node. */
  readonly externalIPs?: readonly string[];
  /** Labels besides those that every node has: roles, and what the operator gave. */
  readonly labels: Readonly<Record<string, string>>;
  /** Given when the node is registered for the first time. */
  readonly taints: readonly Taint[];
  readonly maxPods: number;
  /** The port of the kubelet's server. */
  readonly port: number;
  /** `v1.36.0+kedge1`. */
  readonly version: string;
}

/** What Pods may use of the node. */
export interface NodeResources {
  /** Millicores. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
  readonly ephemeralStorage: number;
}

/** Kept back from Pods, as upstream's default eviction thresholds do. */
const MEMORY_RESERVE = 100 * 1024 * 1024;
const STORAGE_PART = 0.9;

export function allocatableResources(machine: MachineFacts, storageBytes: number): NodeResources {
  const huge = [...machine.hugepages.values()].reduce((sum, bytes) => sum + bytes, 0);
  return {
    cpu: machine.cpus * 1000,
    memory: Math.max(0, machine.memoryBytes - huge - MEMORY_RESERVE),
    ephemeralStorage: Math.floor(storageBytes * STORAGE_PART),
  };
}

/** The labels every node has. */
export function nodeLabels(identity: NodeIdentity, machine: MachineFacts): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': machine.architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': machine.architecture,
    'kubernetes.io/hostname': identity.name,
    'kubernetes.io/os': 'linux',
    ...identity.labels,
  };
}

export interface NodeStatusInput {
  readonly identity: NodeIdentity;
  readonly machine: MachineFacts;
  readonly storageBytes: number;
  /** `containerd://1.6.20`. */
  readonly runtimeVersion: string;
  /** Why the node cannot run Pods; undefined when it can. */
  readonly problem: string | undefined;
  /** The conditions there are, for their transition times. */
  readonly conditions: readonly NodeCondition[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface Verdict {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const PRESSURES: readonly Verdict[] = [
  {
    type: 'MemoryPressure',
    status: 'False',
    reason: 'KubeletHasSufficientMemory',
    message: 'kubelet has sufficient memory available',
  },
  {
    type: 'DiskPressure',
    status: 'False',
    reason: 'KubeletHasNoDiskPressure',
    message: 'kubelet has no disk pressure',
  },
  {
    type: 'PIDPressure',
    status: 'False',
    reason: 'KubeletHasSufficientPID',
    message: 'kubelet has sufficient PID available',
  },
];

function conditions(input: NodeStatusInput): NodeCondition[] {
  const { problem } = input;
  const ready: Verdict =
    problem === undefined
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: problem };
  const now = formatTime(input.now);
  return [...PRESSURES, ready].map((verdict) => {
    const old = input.conditions.find(({ type }) => type === verdict.type);
    const since = old?.status === verdict.status ? old.lastTransitionTime : null;
    return { ...verdict, lastHeartbeatTime: now, lastTransitionTime: since ?? now };
  });
}

function addresses({ ips, externalIPs = [], name }: NodeIdentity): NodeAddress[] {
  return [
    ...ips.map((address) => ({ type: 'InternalIP', address })),
    ...externalIPs.map((address) => ({ type: 'ExternalIP', address })),
    { type: 'Hostname', address: name },
  ];
}

/** The kubelet's part of the node's status. */
export function nodeStatus(input: NodeStatusInput): NodeStatus {
  const { identity, machine, storageBytes } = input;
  const bytes = (amount: number): string => Quantity.of(amount, 'binarySI').toString();
  const kibibytes = (amount: number): string => bytes(Math.floor(amount / 1024) * 1024);
  const pages = Object.fromEntries(
    [...machine.hugepages].map(([size, amount]) => [`hugepages-${size}`, bytes(amount)]),
  );
  const allocatable = allocatableResources(machine, storageBytes);
  const shared = { pods: String(identity.maxPods), ...pages };
  return {
    capacity: {
      cpu: String(machine.cpus),
      'ephemeral-storage': kibibytes(storageBytes),
      memory: kibibytes(machine.memoryBytes),
      ...shared,
    },
    allocatable: {
      cpu: String(machine.cpus),
      'ephemeral-storage': String(allocatable.ephemeralStorage),
      memory: kibibytes(allocatable.memory),
      ...shared,
    },
    conditions: conditions(input),
    addresses: addresses(identity),
    daemonEndpoints: { kubeletEndpoint: { Port: identity.port } },
    nodeInfo: {
      machineID: machine.machineID,
      systemUUID: machine.systemUUID,
      bootID: machine.bootID,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: input.runtimeVersion,
      kubeletVersion: identity.version,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: machine.architecture,
      ...(machine.swapBytes === 0 ? {} : { swap: { capacity: machine.swapBytes } }),
    },
  };
}

/** Whether two statuses say the same but for the heartbeat's time. */
export function statusBody(status: NodeStatus): unknown {
  const plain = (status.conditions ?? []).map(({ lastHeartbeatTime: _, ...condition }) => condition);
  return { ...status, conditions: plain };
}

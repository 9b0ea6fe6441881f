/** Makers of Pods and runtime states for unit tests. */
import type { Container, Node, NodeSystemInfo, Pod, PodSpec, PodStatus, Taint } from '../api/generated/core-v1.ts';
import type { ObjectMeta } from '../api/generated/meta-v1.ts';
import { containerHash } from './container-labels.ts';
import type { ContainerRuntimeStatus, PodRuntimeStatus, SandboxRuntimeStatus } from './runtime-status.ts';

export interface PodParts {
  readonly metadata?: Partial<ObjectMeta>;
  readonly spec?: Partial<PodSpec>;
  readonly status?: Partial<PodStatus>;
}

export function makeContainer(name: string, parts: Partial<Container> = {}): Container {
  return { name, image: 'busybox:1', resources: {}, ...parts };
}

export function makePod(parts: PodParts = {}): Pod {
  return {
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'uid-1',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...parts.metadata,
    },
    spec: { containers: [makeContainer('app')], restartPolicy: 'Always', ...parts.spec },
    status: { ...parts.status },
  };
}

const NO_INFO: NodeSystemInfo = {
  machineID: '',
  systemUUID: '',
  bootID: '',
  kernelVersion: '',
  osImage: '',
  containerRuntimeVersion: '',
  kubeletVersion: '',
  kubeProxyVersion: '',
  operatingSystem: 'linux',
  architecture: 'amd64',
};

export function makeNode(allocatable?: Readonly<Record<string, string>>, taints: readonly Taint[] = []): Node {
  const status = {
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: NO_INFO,
    ...(allocatable && { allocatable: { ...allocatable } }),
  };
  return {
    metadata: {
      name: 'node-1',
      uid: 'node-uid-1',
      resourceVersion: '1',
      labels: { disk: 'fast' },
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { taints: [...taints] },
    status,
  };
}

export function makeSandbox(parts: Partial<SandboxRuntimeStatus> = {}): SandboxRuntimeStatus {
  return { id: 'sandbox-0', ready: true, attempt: 0, createdAt: 1, hostNetwork: false, ips: ['10.42.0.5'], ...parts };
}

export function makeInstance(
  container: Container,
  state: ContainerRuntimeStatus['state'],
  parts: Partial<ContainerRuntimeStatus> = {},
): ContainerRuntimeStatus {
  return {
    id: `${container.name}-${parts.restartCount ?? 0}`,
    name: container.name,
    sandboxId: 'sandbox-0',
    state,
    restartCount: 0,
    hash: containerHash(container),
    createdAt: 1000,
    startedAt: 1000,
    finishedAt: state === 'exited' ? 2000 : 0,
    exitCode: 0,
    reason: state === 'exited' ? 'Completed' : '',
    message: '',
    image: container.image ?? '',
    imageRef: 'sha256:1',
    logPath: '',
    annotations: {},
    ...parts,
  };
}

export function makeRuntime(
  containers: readonly ContainerRuntimeStatus[],
  sandboxes: readonly SandboxRuntimeStatus[] = [makeSandbox()],
): PodRuntimeStatus {
  return { uid: 'uid-1', name: 'web', namespace: 'default', sandboxes, containers };
}

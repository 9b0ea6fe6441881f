/** What the container runtime knows about one Pod: the kubelet's picture of the facts, made from CRI answers. */

export type ContainerRunState = 'created' | 'running' | 'exited' | 'unknown';

/** One container instance; a restarted container has several, told apart by `restartCount`. */
export interface ContainerRuntimeStatus {
  /** The runtime's id, without `containerd://`. */
  readonly id: string;
  /** The container's name in the Pod's spec. */
  readonly name: string;
  readonly sandboxId: string;
  readonly state: ContainerRunState;
  readonly restartCount: number;
  /** The hash of the spec it was made from, see containerHash. */
  readonly hash: string;
  /** Milliseconds since the epoch; 0 when it has not come to that. */
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  /** The runtime's word for how it ended: `Completed`, `Error`, `OOMKilled`, `StartError`. */
  readonly reason: string;
  /** The termination message, or the runtime's error. */
  readonly message: string;
  /** The image as the runtime names it. */
  readonly image: string;
  /** The image's content: `repo@sha256:…` or a bare id. */
  readonly imageRef: string;
  readonly logPath: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
}

/** One sandbox (the Pod's network namespace and its pause container). */
export interface SandboxRuntimeStatus {
  readonly id: string;
  readonly ready: boolean;
  readonly attempt: number;
  readonly createdAt: number;
  readonly hostNetwork: boolean;
  /** The Pod's addresses, first family first; empty on the host's network. */
  readonly ips: readonly string[];
}

/** Everything of one Pod, newest first. */
export interface PodRuntimeStatus {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly sandboxes: readonly SandboxRuntimeStatus[];
  readonly containers: readonly ContainerRuntimeStatus[];
}

/** A Pod of which the runtime knows nothing. */
export function noRuntimeStatus(pod: {
  readonly uid: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}): PodRuntimeStatus {
  return { uid: pod.uid, name: pod.name, namespace: pod.namespace ?? '', sandboxes: [], containers: [] };
}

/** The newest instance of the container called `name`. */
export function newestContainer(status: PodRuntimeStatus, name: string): ContainerRuntimeStatus | undefined {
  return status.containers.find((container) => container.name === name);
}

/** Whether any container or sandbox of the Pod is alive. */
export function isAnythingRunning(status: PodRuntimeStatus): boolean {
  return (
    status.sandboxes.some((sandbox) => sandbox.ready) ||
    status.containers.some((container) => container.state === 'running')
  );
}

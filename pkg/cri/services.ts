import type { Message, MessageInit } from './types.ts';

/** How one call is made. */
export interface CallOptions {
  /** Cancels the call, which then rejects with the code `CANCELLED`. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the call fails with `DEADLINE_EXCEEDED`; `Infinity` for none. The default is the method's. */
  readonly timeoutMs?: number;
}

/** The unary methods of CRI's RuntimeService; each takes `<Method>Request` and answers `<Method>Response`. */
export const RUNTIME_METHODS = [
  'Version',
  'Status',
  'RunPodSandbox',
  'StopPodSandbox',
  'RemovePodSandbox',
  'PodSandboxStatus',
  'ListPodSandbox',
  'CreateContainer',
  'StartContainer',
  'StopContainer',
  'RemoveContainer',
  'ListContainers',
  'ContainerStatus',
  'UpdateContainerResources',
  'ReopenContainerLog',
  'ExecSync',
  'Exec',
  'Attach',
  'PortForward',
  'ContainerStats',
  'ListContainerStats',
  'PodSandboxStats',
  'ListPodSandboxStats',
  'UpdateRuntimeConfig',
  'RuntimeConfig',
] as const;

/** The unary methods of CRI's ImageService. */
export const IMAGE_METHODS = ['ListImages', 'ImageStatus', 'PullImage', 'RemoveImage', 'ImageFsInfo'] as const;

export type RuntimeMethod = (typeof RUNTIME_METHODS)[number];
export type ImageMethod = (typeof IMAGE_METHODS)[number];

type Unary<Method extends RuntimeMethod | ImageMethod> = {
  readonly [M in Method as Uncapitalize<M>]: (
    request: MessageInit<`${M}Request`>,
    options?: CallOptions,
  ) => Promise<Message<`${M}Response`>>;
};

/** One thing that happened to a container (or to a sandbox: its id is then the container id). */
export interface ContainerEvent {
  readonly containerId: string;
  readonly type: 'created' | 'started' | 'stopped' | 'deleted';
  /** When it happened, in nanoseconds since the epoch. */
  readonly createdAt: bigint;
}

/**
 * CRI's RuntimeService as the kubelet sees it. Every method rejects with GrpcError. Timestamps are nanoseconds as
 * bigint, timeouts inside requests are seconds, sizes are bytes.
 */
export interface RuntimeService extends Unary<RuntimeMethod> {
  /**
   * What happens to containers from now on, until `options.signal` aborts (the iteration then ends) or the
   * connection is lost (it throws `UNAVAILABLE`: list everything, then call again). Events between two calls are
   * lost. `onOpen` is called once the runtime has taken the subscription: what is listed after it misses nothing.
   */
  containerEvents(options: {
    readonly signal: AbortSignal;
    readonly onOpen?: () => void;
  }): AsyncIterable<ContainerEvent>;
}

/** CRI's ImageService as the kubelet sees it. Every method rejects with GrpcError. */
export interface ImageService extends Unary<ImageMethod> {}

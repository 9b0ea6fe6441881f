/**
 * A container that could not be started. `reason` is what its status shows while it waits: `ErrImagePull`,
 * `ImagePullBackOff`, `CreateContainerConfigError`, `CreateContainerError`, `RunContainerError`, `CrashLoopBackOff`…
 */
export class ContainerStartError extends Error {
  override readonly name = 'ContainerStartError';
  readonly reason: string;
  /** When trying again makes sense, in milliseconds since the epoch; undefined for the worker's usual retry. */
  readonly retryAt: number | undefined;

  constructor(reason: string, message: string, options: ErrorOptions & { readonly retryAt?: number } = {}) {
    super(message, options);
    this.reason = reason;
    this.retryAt = options.retryAt;
  }
}

/** Which log file answers a request for a container's log: upstream kubelet's validateContainerLogStatus. Pure. */
import type { ContainerStatus, Pod } from '../api/generated/core-v1.ts';
import { containerIdText } from './container-status.ts';
import type { ContainerRuntimeStatus, PodRuntimeStatus } from './runtime-status.ts';

/** There is no log to show; the message is upstream's. */
export class NoLogError extends Error {
  override readonly name = 'NoLogError';
}

/** The id of the instance whose log is meant. Throws NoLogError. */
function instanceId(pod: Pod, container: string, status: ContainerStatus, previous: boolean): string {
  const where = `container "${container}" in pod "${pod.metadata.name}"`;
  const last = status.lastState.terminated?.containerID ?? '';
  if (previous) {
    if (last === '') throw new NoLogError(`previous terminated ${where} not found`);
    return last;
  }
  const { running, terminated, waiting } = status.state;
  const own = running === undefined ? (terminated?.containerID ?? '') : (status.containerID ?? '');
  if (own !== '') return own;
  if (last !== '') return last;
  if (terminated !== undefined) throw new NoLogError(`${where} is terminated`);
  switch (waiting?.reason) {
    case 'ErrImagePull':
      throw new NoLogError(`${where} is waiting to start: image can't be pulled`);
    case 'ImagePullBackOff':
      throw new NoLogError(`${where} is waiting to start: trying and failing to pull image`);
    default:
      throw new NoLogError(`${where} is waiting to start: ${waiting?.reason ?? 'no reason yet'}`);
  }
}

/** The instance whose log is asked for; `pod` has its newest status. Throws NoLogError. */
export function logSource(
  pod: Pod,
  runtime: PodRuntimeStatus,
  container: string,
  previous: boolean,
): ContainerRuntimeStatus {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status;
  const status = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    ({ name }) => name === container,
  );
  if (status === undefined) {
    throw new NoLogError(`container "${container}" in pod "${pod.metadata.name}" is not available`);
  }
  const id = instanceId(pod, container, status, previous);
  const instance = runtime.containers.find((candidate) => containerIdText(candidate.id) === id);
  if (instance === undefined) {
    throw new NoLogError(`unable to retrieve container logs for ${id}`);
  }
  return instance;
}

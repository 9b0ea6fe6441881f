/**
 * The labels and annotations by which sandboxes and containers are recognized again after a restart of kedge, with
 * upstream's keys, so that crictl and other tools understand them too.
 */
import type { Container, Pod } from '../api/generated/core-v1.ts';
import { fnv32a } from '../apimachinery/hash.ts';

export const LABELS = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const;

export const ANNOTATIONS = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  /** The host's file behind terminationMessagePath. */
  terminationMessageFile: 'kedge.io/container.terminationMessageFile',
  preStopHandler: 'io.kubernetes.container.preStopHandler',
  ports: 'io.kubernetes.container.ports',
  deletionGracePeriod: 'io.kubernetes.pod.deletionGracePeriod',
  terminationGracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  configSource: 'kubernetes.io/config.source',
} as const;

/** Of a container's spec only name and image make a new instance necessary when they change. */
export function containerHash(container: Container): string {
  return fnv32a(JSON.stringify({ name: container.name, image: container.image ?? '' })).toString(16);
}

function podLabels(pod: Pod): Record<string, string> {
  return {
    [LABELS.podName]: pod.metadata.name,
    [LABELS.podNamespace]: pod.metadata.namespace ?? '',
    [LABELS.podUid]: pod.metadata.uid,
  };
}

/** A sandbox carries the Pod's own labels too: CNI plugins and log collectors read them. */
export function sandboxLabels(pod: Pod): Record<string, string> {
  return { ...pod.metadata.labels, ...podLabels(pod) };
}

export function containerLabels(pod: Pod, container: Container): Record<string, string> {
  return { ...podLabels(pod), [LABELS.containerName]: container.name };
}

/** Everything needed to end a container properly when its Pod is not known any more. */
export function containerAnnotations(
  pod: Pod,
  container: Container,
  restartCount: number,
  terminationMessageFile: string,
): Record<string, string> {
  const annotations: Record<string, string> = {
    [ANNOTATIONS.hash]: containerHash(container),
    [ANNOTATIONS.restartCount]: String(restartCount),
    [ANNOTATIONS.terminationMessagePath]: container.terminationMessagePath ?? '',
    [ANNOTATIONS.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
    [ANNOTATIONS.terminationMessageFile]: terminationMessageFile,
  };
  const { terminationGracePeriodSeconds } = pod.spec;
  const { deletionGracePeriodSeconds } = pod.metadata;
  if (deletionGracePeriodSeconds !== undefined) {
    annotations[ANNOTATIONS.deletionGracePeriod] = String(deletionGracePeriodSeconds);
  }
  if (terminationGracePeriodSeconds !== undefined) {
    annotations[ANNOTATIONS.terminationGracePeriod] = String(terminationGracePeriodSeconds);
  }
  const preStop = container.lifecycle?.preStop;
  if (preStop !== undefined) annotations[ANNOTATIONS.preStopHandler] = JSON.stringify(preStop);
  if ((container.ports ?? []).length > 0) annotations[ANNOTATIONS.ports] = JSON.stringify(container.ports);
  return annotations;
}

/** The Pods of a StatefulSet and their claims, which keep their names for ever. */
import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts';
import { statefulSets } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { podFromTemplate } from '../pod-control.ts';

export const REVISION_LABEL = 'controller-revision-hash';
const POD_NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';

export const startOrdinal = ({ spec }: StatefulSet): number => spec.ordinals?.start ?? 0;

export const desiredReplicas = ({ spec }: StatefulSet): number => spec.replicas ?? 1;

/** The Pod's place in the row; undefined when its name is none that `set` gives. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const match = /^(.*)-(\d+)$/.exec(pod.metadata.name);
  return match?.[1] === set.metadata.name ? Number(match[2]) : undefined;
}

/** Whether `ordinal` is among those that `set` wants. */
export function isInRange(set: StatefulSet, ordinal: number): boolean {
  const start = startOrdinal(set);
  return start <= ordinal && ordinal < start + desiredReplicas(set);
}

export const podName = ({ metadata }: StatefulSet, ordinal: number): string => `${metadata.name}-${ordinal}`;

/** The labels by which a Pod can be told from its siblings. */
function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [POD_NAME_LABEL]: podName(set, ordinal), [POD_INDEX_LABEL]: String(ordinal) };
}

/** Whether `pod` still carries the labels of its place. */
export function hasIdentity(set: StatefulSet, pod: Pod, ordinal: number): boolean {
  const labels = pod.metadata.labels ?? {};
  return Object.entries(identityLabels(set, ordinal)).every(([key, value]) => labels[key] === value);
}

/** `pod` with the labels of its place given back. */
export function withIdentity(set: StatefulSet, pod: Pod, ordinal: number): Pod {
  const labels = { ...pod.metadata.labels, ...identityLabels(set, ordinal) };
  return { ...pod, metadata: { ...pod.metadata, labels } };
}

/** The Pod at `ordinal`, of the revision named `revision` that holds `template`. */
export function statefulPod(
  set: StatefulSet,
  ordinal: number,
  template: PodTemplateSpec,
  revision: string,
): Input<Pod> & { metadata: { name: string } } {
  const pod = podFromTemplate(template, statefulSets, set);
  const name = podName(set, ordinal);
  const claims = (set.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
  const volumes = [
    ...claims.map((claim) => ({ name: claim, persistentVolumeClaim: { claimName: claimName(set, claim, ordinal) } })),
    // A volume of the template gives way to a claim of the same name.
    ...(template.spec?.volumes ?? []).filter((volume) => !claims.includes(volume.name)),
  ];
  return {
    metadata: {
      ...pod.metadata,
      name,
      labels: { ...template.metadata?.labels, ...identityLabels(set, ordinal), [REVISION_LABEL]: revision },
    },
    spec: {
      ...template.spec,
      hostname: name,
      subdomain: set.spec.serviceName,
      ...(volumes.length > 0 && { volumes }),
    },
  };
}

const claimName = ({ metadata }: StatefulSet, template: string, ordinal: number): string =>
  `${template}-${metadata.name}-${ordinal}`;

/** The claims that the Pod at `ordinal` mounts. */
export function claimsOf(
  set: StatefulSet,
  ordinal: number,
): (Input<PersistentVolumeClaim> & { metadata: { name: string } })[] {
  return (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    metadata: {
      name: claimName(set, metadata.name, ordinal),
      namespace: set.metadata.namespace,
      labels: { ...metadata.labels, ...set.spec.selector?.matchLabels },
      ...(metadata.annotations && { annotations: metadata.annotations }),
      ...(metadata.finalizers && { finalizers: metadata.finalizers }),
    },
    spec,
  }));
}

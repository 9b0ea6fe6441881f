import type { Pod } from '../api/generated/core-v1.ts';
import { allContainers } from './pod-info.ts';
import type { ReferencedKind } from './referenced-objects.ts';

/** Names a referenced object within the Pod's namespace. */
export function referenceKey(kind: ReferencedKind, name: string): string {
  return `${kind}/${name}`;
}

/** The ConfigMaps and Secrets a Pod's volumes and environment are made from, as referenceKeys. */
export function podReferences(pod: Pod): Set<string> {
  const keys = new Set<string>();
  const add = (kind: ReferencedKind, name: string | undefined): void => {
    if (name !== undefined && name !== '') keys.add(referenceKey(kind, name));
  };
  for (const { configMap, secret, projected } of pod.spec.volumes ?? []) {
    add('ConfigMap', configMap?.name);
    add('Secret', secret?.secretName);
    for (const source of projected?.sources ?? []) {
      add('ConfigMap', source.configMap?.name);
      add('Secret', source.secret?.name);
    }
  }
  for (const { container } of allContainers(pod)) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add('ConfigMap', configMapRef?.name);
      add('Secret', secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add('ConfigMap', valueFrom?.configMapKeyRef?.name);
      add('Secret', valueFrom?.secretKeyRef?.name);
    }
  }
  for (const { name } of pod.spec.imagePullSecrets ?? []) add('Secret', name);
  return keys;
}

import type { Container, Pod, Volume } from '../../api/generated/core-v1.ts';

/** An object of the Pod's namespace that the Pod's node has to read. */
export interface PodReference {
  readonly resource: 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'serviceaccounts' | 'resourceclaims';
  readonly name: string;
}

type Reference = { readonly name?: string | undefined } | undefined;

function* volumeReferences(pod: Pod, volume: Volume): Generator<PodReference> {
  const secrets: (string | undefined)[] = [
    volume.secret?.secretName,
    volume.azureFile?.secretName,
    volume.cephfs?.secretRef?.name,
    volume.cinder?.secretRef?.name,
    volume.csi?.nodePublishSecretRef?.name,
    volume.flexVolume?.secretRef?.name,
    volume.iscsi?.secretRef?.name,
    volume.rbd?.secretRef?.name,
    volume.scaleIO?.secretRef?.name,
    volume.storageos?.secretRef?.name,
  ];
  const configMaps: (string | undefined)[] = [volume.configMap?.name];
  for (const source of volume.projected?.sources ?? []) {
    secrets.push(source.secret?.name);
    configMaps.push(source.configMap?.name);
  }
  for (const name of secrets) if (name) yield { resource: 'secrets', name };
  for (const name of configMaps) if (name) yield { resource: 'configmaps', name };
  if (volume.persistentVolumeClaim) {
    yield { resource: 'persistentvolumeclaims', name: volume.persistentVolumeClaim.claimName };
  }
  if (volume.ephemeral) {
    yield { resource: 'persistentvolumeclaims', name: `${pod.metadata.name}-${volume.name}` };
  }
}

function* containerReferences(container: Pick<Container, 'env' | 'envFrom'>): Generator<PodReference> {
  const secrets: Reference[] = [];
  const configMaps: Reference[] = [];
  for (const { valueFrom } of container.env ?? []) {
    secrets.push(valueFrom?.secretKeyRef);
    configMaps.push(valueFrom?.configMapKeyRef);
  }
  for (const source of container.envFrom ?? []) {
    secrets.push(source.secretRef);
    configMaps.push(source.configMapRef);
  }
  for (const one of secrets) if (one?.name) yield { resource: 'secrets', name: one.name };
  for (const one of configMaps) if (one?.name) yield { resource: 'configmaps', name: one.name };
}

/** Everything `pod` refers to by name, as upstream's Node authorizer collects it; an object may come more than once. */
export function* podReferences(pod: Pod): Generator<PodReference> {
  const { spec } = pod;
  if (spec.serviceAccountName) yield { resource: 'serviceaccounts', name: spec.serviceAccountName };
  for (const one of spec.imagePullSecrets ?? []) if (one.name) yield { resource: 'secrets', name: one.name };
  for (const volume of spec.volumes ?? []) yield* volumeReferences(pod, volume);
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  for (const container of containers) yield* containerReferences(container);
  for (const claim of spec.resourceClaims ?? []) {
    if (claim.resourceClaimName) yield { resource: 'resourceclaims', name: claim.resourceClaimName };
  }
  for (const status of pod.status?.resourceClaimStatuses ?? []) {
    if (status.resourceClaimName) yield { resource: 'resourceclaims', name: status.resourceClaimName };
  }
}

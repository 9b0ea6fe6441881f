/** Small plugins that fill in what the cluster decides: default classes, protection of storage. */
import type { PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import type { Ingress, IngressClass } from '../../api/generated/networking-v1.ts';
import { ingressClasses, storageClasses } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { defaultStorageClass as defaultClassOf } from '../../apimachinery/volume-binding.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';
const INGRESS_ANNOTATION = 'kubernetes.io/ingress.class';
const DEFAULT_INGRESS = 'ingressclass.kubernetes.io/is-default-class';

const PROTECTION: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
};

const creates = ({ descriptor, operation, subresource }: AdmissionAttributes, resource: string): boolean =>
  operation === 'CREATE' && subresource === undefined && descriptor.type.resource === resource;

/** Upstream's StorageObjectInUseProtection: a finalizer keeps volumes and claims while they are used. */
export const storageProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  mutate({ descriptor, operation, subresource, object }) {
    const finalizer = descriptor.type.group === '' ? PROTECTION[descriptor.type.resource] : undefined;
    if (finalizer === undefined || operation !== 'CREATE' || subresource !== undefined) return;
    const had = object.metadata.finalizers ?? [];
    if (!had.includes(finalizer)) object.metadata.finalizers = [...had, finalizer];
  },
};

/** The newest of the default classes; among equally old ones, the first by name. */
function newest<T extends KubeObject>(classes: readonly T[]): T | undefined {
  const time = ({ metadata }: T): string => metadata.creationTimestamp ?? '';
  return [...classes].sort((a, b) => {
    if (time(a) !== time(b)) return time(a) < time(b) ? 1 : -1;
    return a.metadata.name < b.metadata.name ? -1 : 1;
  })[0];
}

/** Upstream's DefaultStorageClass. */
export function defaultStorageClass(store: Store): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    mutate(attributes) {
      if (!creates(attributes, 'persistentvolumeclaims')) return;
      const claim = attributes.object as PersistentVolumeClaim;
      const { spec, metadata } = claim;
      if (spec.storageClassName !== undefined || metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return;
      const classes = store.list(storageClasses).map((stored) => stored.object);
      const found = defaultClassOf(classes);
      if (found !== undefined) spec.storageClassName = found.metadata.name;
    },
  };
}

/** Upstream's DefaultIngressClass. */
export function defaultIngressClass(store: Store): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    mutate(attributes) {
      if (!creates(attributes, 'ingresses')) return;
      const { spec, metadata } = attributes.object as Ingress;
      if (spec.ingressClassName !== undefined || metadata.annotations?.[INGRESS_ANNOTATION] !== undefined) return;
      const classes: IngressClass[] = store.list(ingressClasses).map((stored) => stored.object);
      const found = newest(classes.filter((item) => item.metadata.annotations?.[DEFAULT_INGRESS] === 'true'));
      if (found !== undefined) spec.ingressClassName = found.metadata.name;
    },
  };
}

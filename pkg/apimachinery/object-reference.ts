import type { KubeObject, ResourceType } from '../api/types.ts';
import { apiVersionOf } from '../api/types.ts';

/** Names one object: core/v1's ObjectReference with the fields that are always known. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  /** Absent for objects of the cluster's scope. */
  readonly namespace?: string;
  readonly resourceVersion?: string;
  /** A part of the object: `spec.containers{web}`. */
  readonly fieldPath?: string;
}

/** The reference to `object`, or to its part `fieldPath`, as events carry it. */
export function referenceTo(type: ResourceType, object: KubeObject, fieldPath?: string): ObjectRef {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    name,
    uid,
    ...(namespace === undefined || namespace === '' ? {} : { namespace }),
    ...(resourceVersion === '' ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}

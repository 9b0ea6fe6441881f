/** Small readings of an object's metadata and conditions that many components need. */
import type { KubeObject } from '../api/types.ts';
import { deepEqual } from './deep-equal.ts';

/** An owner as `metadata.ownerReferences` names it. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean | undefined;
  blockOwnerDeletion?: boolean | undefined;
}

type Named = Pick<KubeObject, 'metadata'>;

/** `namespace/name`, or `name` for a cluster-scoped object: the key of caches and work queues. */
export function objectKey(object: Named): string {
  return keyOf(object.metadata.namespace, object.metadata.name);
}

export function keyOf(namespace: string | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name;
}

/** The two parts of a key; the namespace is empty for a cluster-scoped object. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: slash < 0 ? '' : key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The owner that manages the object, if one does. */
export function controllerOf(object: Named): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export function isControlledBy(object: Named, owner: Named): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

/** The reference that makes `owner` the controller of an object; it blocks the owner's foreground deletion. */
export function controllerReference(
  owner: Named,
  type: { readonly apiVersion: string; readonly kind: string },
): OwnerReference {
  return {
    apiVersion: type.apiVersion,
    kind: type.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function isBeingDeleted(object: Named): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function hasFinalizer(object: Named, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

/** The fields shared by the conditions of all kinds. */
export interface ConditionLike {
  type: string;
  status: string;
  reason?: string | undefined;
  message?: string | undefined;
  lastTransitionTime?: string | null | undefined;
}

export function getCondition<T extends ConditionLike>(
  conditions: readonly T[] | null | undefined,
  type: string,
): T | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(conditions: readonly ConditionLike[] | null | undefined, type: string): boolean {
  return getCondition(conditions, type)?.status === 'True';
}

/**
 * The list with `condition` set. Its transition time becomes `now` (a formatted time) when the status changes or is
 * new, and stays otherwise; the same list comes back when nothing changed.
 */
export function setCondition<T extends ConditionLike>(
  conditions: readonly T[] | null | undefined,
  condition: Omit<NoInfer<T>, 'lastTransitionTime'> & Pick<ConditionLike, 'type' | 'status'>,
  now: string,
): readonly T[] {
  const list = conditions ?? [];
  const index = list.findIndex(({ type }) => type === condition.type);
  const old = list[index];
  if (old === undefined) return [...list, { ...condition, lastTransitionTime: now } as T];
  const lastTransitionTime = old.status === condition.status ? old.lastTransitionTime : now;
  const merged: T = { ...old, ...condition, lastTransitionTime };
  if (deepEqual(old, merged)) return list;
  return list.with(index, merged);
}

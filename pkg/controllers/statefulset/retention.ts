/** persistentVolumeClaimRetentionPolicy: who owns a claim, and so takes it with it (KEP-1847). */
import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { pods, statefulSets } from '../../api/resources.ts';
import { apiVersionOf } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { controllerReference, type OwnerReference } from '../../apimachinery/object-meta.ts';

type Policy = 'whenDeleted' | 'whenScaled';

const deletes = ({ spec }: StatefulSet, when: Policy): boolean =>
  spec.persistentVolumeClaimRetentionPolicy?.[when] === 'Delete';

const setReference = (set: StatefulSet): OwnerReference =>
  controllerReference(set, { apiVersion: apiVersionOf(statefulSets), kind: statefulSets.kind });

const podReference = (pod: Pod): OwnerReference =>
  controllerReference(pod, { apiVersion: apiVersionOf(pods), kind: pods.kind });

/** The owners of a claim that is made for a wanted Pod. */
export function newClaimOwners(set: StatefulSet): OwnerReference[] {
  return deletes(set, 'whenDeleted') ? [setReference(set)] : [];
}

/**
 * The owners that a claim of `pod` should have, undefined when it has them: the set while the Pod is wanted, the Pod
 * when it goes because the set was made smaller. Claims that something else controls are left alone.
 */
export function claimOwners(
  set: StatefulSet,
  pod: Pod,
  isWanted: boolean,
  claim: PersistentVolumeClaim,
): OwnerReference[] | undefined {
  const owners = claim.metadata.ownerReferences ?? [];
  const isOurs = ({ uid, kind, name }: OwnerReference): boolean =>
    uid === set.metadata.uid || uid === pod.metadata.uid || (kind === pods.kind && name === pod.metadata.name);
  if (owners.some((owner) => owner.controller === true && !isOurs(owner))) return undefined;
  const goesWithPod = deletes(set, 'whenScaled') && !isWanted;
  const wanted = owners.filter((owner) => !isOurs(owner));
  if (goesWithPod) wanted.push(podReference(pod));
  else if (deletes(set, 'whenDeleted')) wanted.push(setReference(set));
  return deepEqual(owners, wanted) ? undefined : wanted;
}

/** Whether the claim is about to go with an earlier Pod of the name `podName`. */
export function isStaleClaim(claim: PersistentVolumeClaim, podName: string): boolean {
  return (claim.metadata.ownerReferences ?? []).some(({ kind, name }) => kind === pods.kind && name === podName);
}

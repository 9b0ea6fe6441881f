/** Which volumes a Pod would get on a node: upstream's SchedulerVolumeBinder, the deciding half. Pure. */
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../api/generated/core-v1.ts';
import type { StorageClass } from '../api/generated/storage-v1.ts';
import { goQuote } from '../apimachinery/go-quote.ts';
import { isBeingDeleted, objectKey } from '../apimachinery/object-meta.ts';
import {
  annotationOf,
  bestVolumeFor,
  claimSize,
  claimsOfPod,
  foreignEphemeralClaim,
  isBindingDelayed,
  isFullyBound,
  isTopologyAllowed,
  isVolumeReachableFrom,
  NO_PROVISIONER,
  storageClassOf,
  VOLUME_ANNOTATIONS,
} from '../apimachinery/volume-binding.ts';

const NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity";
const BIND_CONFLICT = "node(s) didn't find available persistent volumes to bind";
const VOLUME_MISSING = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)';

/** What there is, as far as it is known. */
export interface StorageView {
  claim(name: string, namespace: string | undefined): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumes(): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
}

/** The claims of a Pod that has everything it needs to be scheduled. */
export interface PodClaims {
  readonly bound: readonly PersistentVolumeClaim[];
  /** To be bound on the node that is chosen. */
  readonly delayed: readonly PersistentVolumeClaim[];
}

/** The claims of `pod`, undefined when it has none; a text when the Pod can run nowhere because of them. */
export function podClaims(pod: Pod, view: StorageView): PodClaims | string | undefined {
  const uses = claimsOfPod(pod);
  if (uses.length === 0) return undefined;
  const bound: PersistentVolumeClaim[] = [];
  const delayed: PersistentVolumeClaim[] = [];
  let waits = false;
  for (const { claimName, isEphemeral } of uses) {
    const claim = view.claim(claimName, pod.metadata.namespace);
    if (claim === undefined) {
      return isEphemeral
        ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${goQuote(claimName)}`
        : `persistentvolumeclaim ${goQuote(claimName)} not found`;
    }
    if (claim.status.phase === 'Lost') {
      const volume = goQuote(claim.spec.volumeName ?? '');
      return `persistentvolumeclaim ${goQuote(claimName)} bound to non-existent persistentvolume ${volume}`;
    }
    if (isBeingDeleted(claim)) return `persistentvolumeclaim ${goQuote(claimName)} is being deleted`;
    const foreign = isEphemeral ? foreignEphemeralClaim(pod, claim) : undefined;
    if (foreign !== undefined) return foreign;
    if (isFullyBound(claim)) bound.push(claim);
    // What is promised a volume already is about to be bound to it.
    else if (!claim.spec.volumeName && isBindingDelayed(view.storageClass(storageClassOf(claim)))) delayed.push(claim);
    else waits = true;
  }
  return waits ? 'pod has unbound immediate PersistentVolumeClaims' : { bound, delayed };
}

export interface BindingPair {
  readonly claim: PersistentVolumeClaim;
  readonly volume: PersistentVolume;
}

/** What has to happen for the Pod's delayed claims when it goes to a certain node. */
export interface VolumePlan {
  readonly bind: readonly BindingPair[];
  /** Claims that get a new volume on that node. */
  readonly provision: readonly PersistentVolumeClaim[];
}

/** What was decided for other Pods and is not to be seen in the API yet. */
export interface AssumedVolumes {
  /** By claim: the name of the volume it gets. */
  readonly volumeOf: ReadonlyMap<string, string>;
  /** By claim: the node its new volume is made on. */
  readonly nodeOf: ReadonlyMap<string, string>;
}

/** The plan for `node`, or the reasons why it will not do. */
export function planVolumes(
  { bound, delayed }: PodClaims,
  node: Node,
  view: StorageView,
  assumed: AssumedVolumes,
): VolumePlan | readonly string[] {
  const reasons = new Set<string>();
  for (const claim of bound) {
    const volume = view.volume(claim.spec.volumeName ?? '');
    if (volume === undefined) reasons.add(VOLUME_MISSING);
    else if (!isVolumeReachableFrom(volume, node)) reasons.add(NODE_CONFLICT);
  }
  const plan = planDelayed(delayed, node, view, assumed);
  if (plan === undefined) reasons.add(BIND_CONFLICT);
  return plan === undefined || reasons.size > 0 ? [...reasons].sort() : plan;
}

function planDelayed(
  claims: readonly PersistentVolumeClaim[],
  node: Node,
  view: StorageView,
  assumed: AssumedVolumes,
): VolumePlan | undefined {
  const bind: BindingPair[] = [];
  const provision: PersistentVolumeClaim[] = [];
  const taken = new Set(assumed.volumeOf.values());
  // The smallest claims first: they leave the large volumes to the large claims.
  for (const claim of [...claims].sort((a, b) => claimSize(a).compare(claimSize(b)))) {
    const key = objectKey(claim);
    const promised = assumed.volumeOf.get(key);
    if (promised !== undefined) {
      const volume = view.volume(promised);
      if (volume === undefined || !isVolumeReachableFrom(volume, node)) return undefined;
      bind.push({ claim, volume });
      continue;
    }
    const selected = annotationOf(claim, VOLUME_ANNOTATIONS.selectedNode) ?? assumed.nodeOf.get(key);
    if (selected !== undefined && selected !== node.metadata.name) return undefined;
    const volume = selected === undefined ? bestVolumeFor(claim, view.volumes(), { node, excluded: taken }) : undefined;
    if (volume !== undefined) {
      taken.add(volume.metadata.name);
      bind.push({ claim, volume });
    } else if (canProvision(claim, node, view)) provision.push(claim);
    else return undefined;
  }
  return { bind, provision };
}

function canProvision(claim: PersistentVolumeClaim, node: Node, view: StorageView): boolean {
  const storageClass = view.storageClass(storageClassOf(claim));
  if (storageClass === undefined || !storageClass.provisioner || storageClass.provisioner === NO_PROVISIONER)
    return false;
  return isTopologyAllowed(storageClass.allowedTopologies, node);
}

/** Whether everything that was planned is done; throws when it has become impossible. */
export function isPlanDone(plan: VolumePlan, node: Node, view: StorageView): boolean {
  let isDone = true;
  for (const { claim: planned, volume } of plan.bind) {
    const current = view.volume(volume.metadata.name);
    if (current === undefined) throw new Error(`persistentvolume ${goQuote(volume.metadata.name)} not found`);
    if (!current.spec.claimRef?.uid) throw new Error(`ClaimRef got reset for pv ${goQuote(volume.metadata.name)}`);
    const claim = existing(planned, view);
    isDone &&= isFullyBound(claim);
  }
  for (const planned of plan.provision) {
    const claim = existing(planned, view);
    const { name } = claim.metadata;
    const selected = annotationOf(claim, VOLUME_ANNOTATIONS.selectedNode);
    if (selected === undefined) throw new Error(`selectedNode annotation reset for PVC ${goQuote(name)}`);
    if (selected !== node.metadata.name) {
      const nodes = `${goQuote(selected)} not set to scheduled node ${goQuote(node.metadata.name)}`;
      throw new Error(`selectedNode annotation value ${nodes}`);
    }
    const volume = claim.spec.volumeName ? view.volume(claim.spec.volumeName) : undefined;
    if (volume !== undefined && !isVolumeReachableFrom(volume, node)) {
      const names = `pv ${goQuote(volume.metadata.name)} node affinity doesn't match node ${goQuote(node.metadata.name)}`;
      throw new Error(`${names}: no matching NodeSelectorTerms`);
    }
    isDone &&= isFullyBound(claim);
  }
  return isDone;
}

function existing({ metadata }: PersistentVolumeClaim, view: StorageView): PersistentVolumeClaim {
  const claim = view.claim(metadata.name, metadata.namespace);
  if (claim?.metadata.uid !== metadata.uid) {
    throw new Error(`persistentvolumeclaim ${goQuote(metadata.name)} not found`);
  }
  return claim;
}

/** What is to be done for one claim, and for one volume: the binder's decisions, without I/O (upstream's pv_controller). */
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import type { StorageClass } from '../../api/generated/storage-v1.ts';
import {
  annotationOf,
  bestVolumeFor,
  defaultStorageClass,
  hasSameVolumeMode,
  isBindingDelayed,
  isVolumeForClaim,
  NO_PROVISIONER,
  storageClassOf,
  VOLUME_ANNOTATIONS,
  volumeMismatch,
} from '../../apimachinery/volume-binding.ts';

export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type ClaimDecision =
  /** Both sides are to point at each other; done again, it completes what was begun. */
  | { readonly action: 'bind'; readonly volume: PersistentVolume }
  | { readonly action: 'pending'; readonly event?: Told }
  /** The claim has had no class, and there is a default one by now. */
  | { readonly action: 'adoptClass'; readonly storageClass: string }
  /** Somebody else makes a volume: it is told so by an annotation. */
  | { readonly action: 'provision'; readonly provisioner: string; readonly event: Told }
  | { readonly action: 'lost'; readonly event: Told };

/** What a decision about a claim depends on. */
export interface ClaimView {
  readonly volumes: readonly PersistentVolume[];
  readonly classes: readonly StorageClass[];
  /** Pods without a node that use the claim. */
  readonly waitingPods: () => readonly string[];
}

const normal = (reason: string, message: string): Told => ({ type: 'Normal', reason, message });
const warning = (reason: string, message: string): Told => ({ type: 'Warning', reason, message });

export function decideClaim(claim: PersistentVolumeClaim, view: ClaimView): ClaimDecision {
  if (annotationOf(claim, VOLUME_ANNOTATIONS.bindCompleted) !== undefined) return decideBoundClaim(claim, view);
  const { volumeName } = claim.spec;
  return volumeName ? decideNamedVolume(claim, volumeName, view) : decideUnboundClaim(claim, view);
}

function decideUnboundClaim(claim: PersistentVolumeClaim, view: ClaimView): ClaimDecision {
  const className = storageClassOf(claim);
  const storageClass = view.classes.find(({ metadata }) => metadata.name === className);
  const isDelayed = isBindingDelayed(storageClass);
  const volume = bestVolumeFor(claim, view.volumes, { prebound: isDelayed });
  if (volume !== undefined) return { action: 'bind', volume };
  if (claim.spec.storageClassName === undefined && className === '') {
    const adopted = defaultStorageClass(view.classes);
    if (adopted !== undefined) return { action: 'adoptClass', storageClass: adopted.metadata.name };
  }
  if (isDelayed && annotationOf(claim, VOLUME_ANNOTATIONS.selectedNode) === undefined) {
    return { action: 'pending', event: waitingEvent(view.waitingPods()) };
  }
  if (className === '') {
    const text = 'no persistent volumes available for this claim and no storage class is set';
    return { action: 'pending', event: normal('FailedBinding', text) };
  }
  return decideProvisioning(className, storageClass);
}

function waitingEvent(pods: readonly string[]): Told {
  if (pods.length === 0) {
    return normal('WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
  }
  const who = `${pods.length > 1 ? 'pods' : 'pod'} ${pods.join(',')}`;
  return normal('WaitForPodScheduled', `waiting for ${who} to be scheduled`);
}

function decideProvisioning(className: string, storageClass: StorageClass | undefined): ClaimDecision {
  const failed = (text: string): ClaimDecision => ({ action: 'pending', event: warning('ProvisioningFailed', text) });
  if (storageClass === undefined) return failed(`storageclass.storage.k8s.io "${className}" not found`);
  const { provisioner } = storageClass;
  // Nothing of upstream's own is built in here, and most of it is not there any more either.
  if (provisioner === NO_PROVISIONER || provisioner.startsWith('kubernetes.io/')) {
    return failed(`no volume plugin matched name: ${provisioner}`);
  }
  const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
  return { action: 'provision', provisioner, event: normal('ExternalProvisioning', message) };
}

/** The user has asked for one particular volume. */
function decideNamedVolume(claim: PersistentVolumeClaim, name: string, { volumes }: ClaimView): ClaimDecision {
  const volume = volumes.find(({ metadata }) => metadata.name === name);
  if (volume === undefined) return { action: 'pending' };
  if (volume.spec.claimRef !== undefined) {
    if (isVolumeForClaim(volume, claim)) return { action: 'bind', volume };
    const text = `volume "${name}" already bound to a different claim.`;
    return { action: 'pending', event: warning('FailedBinding', text) };
  }
  const mismatch = volumeMismatch(volume, claim);
  if (mismatch === undefined) return { action: 'bind', volume };
  const text = `Cannot bind to requested volume "${name}": ${mismatch}`;
  return { action: 'pending', event: warning('VolumeMismatch', text) };
}

function decideBoundClaim(claim: PersistentVolumeClaim, { volumes }: ClaimView): ClaimDecision {
  const lost = (reason: string, text: string): ClaimDecision => ({ action: 'lost', event: warning(reason, text) });
  const { volumeName } = claim.spec;
  if (!volumeName) {
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  }
  const volume = volumes.find(({ metadata }) => metadata.name === volumeName);
  if (volume === undefined) {
    return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  }
  if (volume.spec.claimRef === undefined || isVolumeForClaim(volume, claim)) return { action: 'bind', volume };
  const text = 'Two claims are bound to the same volume, this one is bound incorrectly';
  return lost('ClaimMisbound', text);
}

export type VolumeDecision =
  | { readonly action: 'phase'; readonly phase: 'Available' | 'Bound' }
  /** The claim, which is looked at as well, completes the binding. */
  | { readonly action: 'leaveToClaim' }
  /** The two can never be bound. */
  | { readonly action: 'mismatch' }
  /** The claim is gone: the reclaim policy decides. */
  | { readonly action: 'release' }
  /** The claim has chosen another volume: this one is free again. */
  | { readonly action: 'unbind' };

/** `claim` is the one that the volume's claimRef names, if there is one of that name. */
export function decideVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumeDecision {
  const { claimRef } = volume.spec;
  if (claimRef === undefined) return { action: 'phase', phase: 'Available' };
  // Set aside by the user for a claim that the binder has not met yet.
  if (!claimRef.uid) return { action: 'phase', phase: 'Available' };
  if (claim === undefined || claim.metadata.uid !== claimRef.uid) return { action: 'release' };
  const { volumeName } = claim.spec;
  if (!volumeName) return { action: hasSameVolumeMode(volume, claim) ? 'leaveToClaim' : 'mismatch' };
  if (volumeName === volume.metadata.name) return { action: 'phase', phase: 'Bound' };
  const isSpare =
    annotationOf(volume, VOLUME_ANNOTATIONS.provisionedBy) !== undefined &&
    volume.spec.persistentVolumeReclaimPolicy === 'Delete';
  return { action: isSpare ? 'release' : 'unbind' };
}

/** What the reclaim policy makes of a released volume: nothing, or a failure that its phase tells. */
export function reclaimFailure(volume: PersistentVolume): Told | undefined {
  switch (volume.spec.persistentVolumeReclaimPolicy) {
    case 'Recycle':
      return warning('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
    case 'Delete': {
      const provisioner = annotationOf(volume, VOLUME_ANNOTATIONS.provisionedBy);
      // Who made it deletes it.
      if (provisioner !== undefined && !provisioner.startsWith('kubernetes.io/')) return undefined;
      const text = `error getting deleter volume plugin for volume "${volume.metadata.name}": no deletable volume plugin matched`;
      return warning('VolumeFailedDelete', text);
    }
    default:
      return undefined;
  }
}

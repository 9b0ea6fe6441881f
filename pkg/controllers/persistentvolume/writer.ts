/** The binder's writes. Each is repeatable: what is as it should be already is not written again. */
import type { ObjectReference, PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { annotationOf, VOLUME_ANNOTATIONS } from '../../apimachinery/volume-binding.ts';
import type { ControllerContext } from '../controller.ts';
import type { Told } from './decide.ts';

type Annotations = Record<string, string>;

export class VolumeWriter {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  tellClaim(claim: PersistentVolumeClaim, { type, reason, message }: Told): void {
    this.#context.recorder.event(referenceTo(persistentVolumeClaims, claim), type, reason, message);
  }

  tellVolume(volume: PersistentVolume, { type, reason, message }: Told): void {
    this.#context.recorder.event(referenceTo(persistentVolumes, volume), type, reason, message);
  }

  /**
   * Points both sides at each other, the volume first: a crash in between leaves a volume that is set aside for the
   * claim, never a claim that believes in a volume somebody else may take.
   */
  async bind(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
    const taken = await this.#bindVolume(volume, claim);
    const bound = await this.setPhase(taken, 'Bound');
    const named = await this.#bindClaim(claim, bound);
    await this.setClaimStatus(named, 'Bound', bound);
  }

  async #bindVolume(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<PersistentVolume> {
    const { claimRef } = volume.spec;
    const { name, namespace, uid } = claim.metadata;
    if (claimRef?.uid === uid && claimRef.name === name && claimRef.namespace === namespace) return volume;
    const reference: ObjectReference = { ...referenceTo(persistentVolumeClaims, claim) };
    const isOwnChoice = claimRef?.name === undefined;
    return this.#context.client.update(persistentVolumes, {
      ...volume,
      metadata: isOwnChoice ? annotated(volume, { [VOLUME_ANNOTATIONS.boundByController]: 'yes' }) : volume.metadata,
      spec: { ...volume.spec, claimRef: reference },
    });
  }

  async #bindClaim(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<PersistentVolumeClaim> {
    const isComplete = annotationOf(claim, VOLUME_ANNOTATIONS.bindCompleted) !== undefined;
    const { name } = volume.metadata;
    if (isComplete && claim.spec.volumeName === name) return claim;
    const added: Annotations = { [VOLUME_ANNOTATIONS.bindCompleted]: 'yes' };
    if (!claim.spec.volumeName) added[VOLUME_ANNOTATIONS.boundByController] = 'yes';
    return this.#context.client.update(persistentVolumeClaims, {
      ...claim,
      metadata: annotated(claim, added),
      spec: { ...claim.spec, volumeName: name },
    });
  }

  /** Frees a volume whose claim has turned to another one; what the user set stays. */
  async unbind(volume: PersistentVolume): Promise<void> {
    const { claimRef, ...spec } = volume.spec;
    const isOwnChoice = annotationOf(volume, VOLUME_ANNOTATIONS.boundByController) !== undefined;
    const { uid: _uid, ...kept } = claimRef ?? {};
    const { [VOLUME_ANNOTATIONS.boundByController]: _choice, ...annotations } = volume.metadata.annotations ?? {};
    const freed = await this.#context.client.update(persistentVolumes, {
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: isOwnChoice ? spec : { ...spec, claimRef: kept },
    });
    await this.setPhase(freed, 'Available');
  }

  async setPhase(volume: PersistentVolume, phase: string, message?: string): Promise<PersistentVolume> {
    if (volume.status.phase === phase && (volume.status.message ?? '') === (message ?? '')) return volume;
    const { message: _before, ...status } = volume.status;
    return this.#context.client.update(
      persistentVolumes,
      { ...volume, status: { ...status, phase, ...(message && { message }) } },
      { subresource: 'status' },
    );
  }

  async setFailed(volume: PersistentVolume, failure: Told): Promise<void> {
    const isKnown = volume.status.phase === 'Failed' && volume.status.message === failure.message;
    if (isKnown) return;
    await this.setPhase(volume, 'Failed', failure.message);
    this.tellVolume(volume, failure);
  }

  /** Notes phase, and the modes and size of the volume the claim has. */
  async setClaimStatus(
    claim: PersistentVolumeClaim,
    phase: 'Pending' | 'Bound',
    volume: PersistentVolume | undefined,
  ): Promise<void> {
    const { accessModes: _modes, capacity, ...rest } = claim.status;
    const storage = volume?.spec.capacity?.['storage'];
    // Once bound, the size of the claim moves by its being expanded, not with the volume.
    const kept = claim.status.phase === phase && capacity?.['storage'] !== undefined ? capacity : { storage };
    const status = {
      ...rest,
      phase,
      ...(volume?.spec.accessModes !== undefined && { accessModes: volume.spec.accessModes }),
      ...(storage !== undefined && { capacity: kept as Record<string, string> }),
    };
    if (deepEqual(status, claim.status)) return;
    await this.#context.client.update(persistentVolumeClaims, { ...claim, status }, { subresource: 'status' });
  }

  async setLost(claim: PersistentVolumeClaim, event: Told): Promise<void> {
    if (claim.status.phase === 'Lost') return;
    const { accessModes: _modes, capacity: _capacity, ...rest } = claim.status;
    const status = { ...rest, phase: 'Lost' };
    await this.#context.client.update(persistentVolumeClaims, { ...claim, status }, { subresource: 'status' });
    this.tellClaim(claim, event);
  }

  async adoptClass(claim: PersistentVolumeClaim, storageClassName: string): Promise<void> {
    await this.#context.client.update(persistentVolumeClaims, { ...claim, spec: { ...claim.spec, storageClassName } });
  }

  /** Tells the provisioner that it is its turn. */
  async requestProvisioning(claim: PersistentVolumeClaim, provisioner: string): Promise<void> {
    const { storageProvisioner, betaStorageProvisioner } = VOLUME_ANNOTATIONS;
    const isAsked = [storageProvisioner, betaStorageProvisioner].every(
      (name) => annotationOf(claim, name) === provisioner,
    );
    if (isAsked) return;
    const metadata = annotated(claim, { [betaStorageProvisioner]: provisioner, [storageProvisioner]: provisioner });
    await this.#context.client.update(persistentVolumeClaims, { ...claim, metadata });
  }
}

function annotated<T extends KubeObject>({ metadata }: T, added: Annotations): T['metadata'] {
  return { ...metadata, annotations: { ...metadata.annotations, ...added } };
}

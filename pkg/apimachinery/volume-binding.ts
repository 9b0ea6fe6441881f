/** Which volume suits which claim, as the binder and the scheduler both decide it: upstream's volume/persistentvolume util. */
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  TopologySelectorTerm,
  Volume,
} from '../api/generated/core-v1.ts';
import type { StorageClass } from '../api/generated/storage-v1.ts';
import type { KubeObject } from '../api/types.ts';
import { labelMatcher } from './labels.ts';
import { nodeMatchesTerm } from './node-selector.ts';
import { isBeingDeleted, isControlledBy } from './object-meta.ts';
import { parseQuantity, type Quantity } from './quantity.ts';

/** Annotations of claims and volumes that binder, scheduler and provisioners share. */
export const VOLUME_ANNOTATIONS = {
  /** On a claim: its binding has been completed once. */
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  /** On either side: the other side was chosen by the binder, so that it may be let go again. */
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  /** On a volume: who made it. */
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  /** On a claim: who is to make a volume for it. */
  storageProvisioner: 'volume.kubernetes.io/storage-provisioner',
  betaStorageProvisioner: 'volume.beta.kubernetes.io/storage-provisioner',
  /** On a claim: the node the scheduler wants its volume on. */
  selectedNode: 'volume.kubernetes.io/selected-node',
  /** On either side: the storage class, before there was a field for it. */
  betaStorageClass: 'volume.beta.kubernetes.io/storage-class',
} as const;

/** The provisioner of the class `local-path`, by the name that k3s's users know. */
export const LOCAL_PATH_PROVISIONER = 'rancher.io/local-path';

/** Provisioner of classes whose volumes are made by hand. */
export const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

export function annotationOf({ metadata }: KubeObject, name: string): string | undefined {
  return metadata.annotations?.[name];
}

/** The storage class of a volume or claim; empty for none. */
export function storageClassOf(object: PersistentVolume | PersistentVolumeClaim): string {
  return annotationOf(object, VOLUME_ANNOTATIONS.betaStorageClass) ?? object.spec.storageClassName ?? '';
}

export const claimSize = ({ spec }: PersistentVolumeClaim): Quantity =>
  parseQuantity(spec.resources?.requests?.['storage'] ?? '0');

export const volumeSize = ({ spec }: PersistentVolume): Quantity => parseQuantity(spec.capacity?.['storage'] ?? '0');

/** Whether `volume` is meant for `claim`: by name, and by uid where it has one. */
export function isVolumeForClaim(
  { spec: { claimRef } }: PersistentVolume,
  { metadata }: PersistentVolumeClaim,
): boolean {
  if (claimRef === undefined) return false;
  if (claimRef.name !== metadata.name || claimRef.namespace !== metadata.namespace) return false;
  return !claimRef.uid || claimRef.uid === metadata.uid;
}

export const hasSameVolumeMode = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean =>
  (volume.spec.volumeMode ?? 'Filesystem') === (claim.spec.volumeMode ?? 'Filesystem');

/** Whether the volume offers every access mode the claim asks for. */
export function offersAccessModes(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (claim.spec.accessModes ?? []).every((mode) => volume.spec.accessModes?.includes(mode));
}

/** Whether Pods on `node` can reach the volume. */
export function isVolumeReachableFrom(volume: PersistentVolume, node: Node): boolean {
  const required = volume.spec.nodeAffinity?.required;
  return required === undefined || required.nodeSelectorTerms.some((term) => nodeMatchesTerm(term, node));
}

/** Why a volume that was asked for by name does not suit the claim; undefined when it does. */
export function volumeMismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volumeSize(volume).compare(claimSize(claim)) < 0) return 'requested PV is too small';
  if (storageClassOf(volume) !== storageClassOf(claim)) return 'storageClassName does not match';
  if ((volume.spec.volumeAttributesClassName ?? '') !== (claim.spec.volumeAttributesClassName ?? '')) {
    return 'volumeAttributesClassName does not match';
  }
  if (!hasSameVolumeMode(volume, claim)) return 'incompatible volumeMode';
  return offersAccessModes(volume, claim) ? undefined : 'incompatible accessMode';
}

export interface MatchOptions {
  /** The volume has to be reachable from this node: the scheduler's question. */
  readonly node?: Node;
  /** Names of volumes that are spoken for. */
  readonly excluded?: ReadonlySet<string>;
  /** Only volumes that name the claim themselves: the rest is left to the scheduler. */
  readonly prebound?: boolean;
}

/**
 * The volume that suits `claim` best: one that names the claim itself, else the smallest large enough with the fewest
 * access modes beyond the wanted ones.
 */
export function bestVolumeFor(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  options: MatchOptions = {},
): PersistentVolume | undefined {
  const wanted = claimSize(claim);
  const storageClass = storageClassOf(claim);
  const selector = claim.spec.selector && labelMatcher(claim.spec.selector);
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    const { name, labels } = volume.metadata;
    if (options.excluded?.has(name) || isBeingDeleted(volume)) continue;
    if (volumeSize(volume).compare(wanted) < 0 || !hasSameVolumeMode(volume, claim)) continue;
    if (!offersAccessModes(volume, claim)) continue;
    if ((volume.spec.volumeAttributesClassName ?? '') !== (claim.spec.volumeAttributesClassName ?? '')) continue;
    const isReachable = options.node === undefined || isVolumeReachableFrom(volume, options.node);
    if (isVolumeForClaim(volume, claim)) {
      if (!isReachable) return undefined;
      return volume;
    }
    if (options.prebound || volume.spec.claimRef !== undefined || !isReachable) continue;
    if (volume.status.phase !== 'Available') continue;
    if (storageClassOf(volume) !== storageClass) continue;
    if (selector !== undefined && !selector.matches(labels)) continue;
    if (best === undefined || isBetter(volume, best)) best = volume;
  }
  return best;
}

function isBetter(volume: PersistentVolume, best: PersistentVolume): boolean {
  const modes = ({ spec }: PersistentVolume): number => spec.accessModes?.length ?? 0;
  if (modes(volume) !== modes(best)) return modes(volume) < modes(best);
  const bySize = volumeSize(volume).compare(volumeSize(best));
  return bySize !== 0 ? bySize < 0 : volume.metadata.name < best.metadata.name;
}

/** Whether claims of the class wait for a Pod before they are bound. */
export const isBindingDelayed = (storageClass: StorageClass | undefined): boolean =>
  storageClass?.volumeBindingMode === 'WaitForFirstConsumer';

/** Whether both sides are bound to each other for good. */
export function isFullyBound(claim: PersistentVolumeClaim): boolean {
  return Boolean(claim.spec.volumeName) && annotationOf(claim, VOLUME_ANNOTATIONS.bindCompleted) !== undefined;
}

/** Whether the class makes volumes for `node`. */
export function isTopologyAllowed(terms: readonly TopologySelectorTerm[] | undefined, node: Node): boolean {
  if (terms === undefined || terms.length === 0) return true;
  return terms.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) => values.includes(node.metadata.labels?.[key] ?? '')),
  );
}

const DEFAULT_CLASS_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

/** Whether claims that name no class get this one. */
export function isDefaultClass({ metadata }: StorageClass): boolean {
  return DEFAULT_CLASS_ANNOTATIONS.some((name) => metadata.annotations?.[name] === 'true');
}

/** The class that claims without one get: of those marked as default the newest, then the first by name. */
export function defaultStorageClass(classes: Iterable<StorageClass>): StorageClass | undefined {
  const age = ({ metadata }: StorageClass): number => Date.parse(metadata.creationTimestamp ?? '') || 0;
  const [first] = [...classes]
    .filter(isDefaultClass)
    .sort((a, b) => age(b) - age(a) || (a.metadata.name < b.metadata.name ? -1 : 1));
  return first;
}

/** A claim that a volume of a Pod stands for. */
export interface ClaimUse {
  readonly volume: Volume;
  readonly claimName: string;
  /** The claim is the Pod's own, made from a template in it. */
  readonly isEphemeral: boolean;
}

/** The claims of a Pod, in the order of its volumes. */
export function claimsOfPod(pod: Pod): ClaimUse[] {
  return (pod.spec.volumes ?? []).flatMap((volume): ClaimUse[] => {
    if (volume.persistentVolumeClaim !== undefined) {
      return [{ volume, claimName: volume.persistentVolumeClaim.claimName, isEphemeral: false }];
    }
    if (volume.ephemeral === undefined) return [];
    return [{ volume, claimName: ephemeralClaimName(pod, volume), isEphemeral: true }];
  });
}

export const ephemeralClaimName = (pod: Pod, volume: Volume): string => `${pod.metadata.name}-${volume.name}`;

/** Why `claim` is not the one that was made for an ephemeral volume of `pod`; undefined when it is. */
export function foreignEphemeralClaim(pod: Pod, claim: PersistentVolumeClaim): string | undefined {
  if (isControlledBy(claim, pod)) return undefined;
  const { namespace, name } = claim.metadata;
  return `PVC ${namespace}/${name} was not created for pod ${pod.metadata.namespace}/${pod.metadata.name} (pod is not owner)`;
}

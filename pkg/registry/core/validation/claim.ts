import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { parseQuantity, type Quantity } from '../../../apimachinery/quantity.ts';
import { goDifference } from '../../validation/difference.ts';
import { type Findings, qualifiedName, unchanged } from '../../validation/rules.ts';
import { validateClaimSpec } from './claim-spec.ts';
import { isNative } from './resource-names.ts';
import { basicAmount, resourceAmount, sortedAmounts } from './resources.ts';

const SPEC = FieldPath.of('spec');
const STATUS = FieldPath.of('status');
/** Where the class stood before there was a field. */
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';
const RESIZE_STATES = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
].sort();

/** Upstream's ValidatePersistentVolumeClaim. */
export function* validateClaim({ spec }: PersistentVolumeClaim): Findings {
  yield* validateClaimSpec(spec, SPEC);
}

const FIXED_TEXT =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

const sizeOf = ({ resources }: PersistentVolumeClaimSpec): Quantity =>
  parseQuantity(resources?.requests?.['storage'] ?? '0');

/** Upstream's ValidatePersistentVolumeClaimUpdate: a bound claim may grow; everything else stays. */
export function* validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): Findings {
  const isMoved = movesClass(claim, old);
  if (!isMoved) {
    const [name, before] = [claim, old].map(({ metadata }) => metadata.annotations?.[BETA_CLASS] ?? '');
    if (name !== before) {
      yield fieldError.invalid(FieldPath.of('metadata', 'annotations', BETA_CLASS), name, 'field is immutable');
    }
  }
  const [after, before] = [fixedPart(claim, old, isMoved), { ...old.spec, volumeName: volumeOf(claim, old) }];
  if (!semanticEqual(after, before)) {
    const difference = goDifference('core.PersistentVolumeClaimSpec', after, before);
    yield fieldError.forbidden(SPEC, `${FIXED_TEXT}\n${difference}`);
  }
  const size = sizeOf(claim.spec);
  const given = parseQuantity(old.status.capacity?.['storage'] ?? '0');
  if (size.compare(sizeOf(old.spec)) < 0 && size.compare(given) <= 0) {
    const text = 'field can not be less than status.capacity';
    yield fieldError.forbidden(SPEC.child('resources', 'requests', 'storage'), text);
  }
  yield* unchanged(FieldPath.of('volumeMode'), claim.spec.volumeMode, old.spec.volumeMode);
  const attributes = claim.spec.volumeAttributesClassName;
  if (old.status.currentVolumeAttributesClassName === undefined || attributes) return;
  if (attributes === old.spec.volumeAttributesClassName) return;
  const what = attributes === undefined ? 'nil' : 'empty string';
  const text = `update to ${what} is forbidden when status.currentVolumeAttributesClassName is not nil`;
  yield fieldError.forbidden(SPEC.child('volumeAttributesClassName'), text);
}

/** Whether the class moves from the annotation into the field. */
function movesClass({ metadata, spec }: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean {
  const annotated = old.metadata.annotations?.[BETA_CLASS];
  const now = metadata.annotations?.[BETA_CLASS];
  if (annotated === undefined || old.spec.storageClassName !== undefined) return false;
  return spec.storageClassName === annotated && (now === undefined || now === annotated);
}

/** The binder sets the volume's name once. */
const volumeOf = (claim: PersistentVolumeClaim, old: PersistentVolumeClaim): string | undefined =>
  old.spec.volumeName || claim.spec.volumeName;

/** The new spec with what may change as it was before. */
function fixedPart({ spec, status }: PersistentVolumeClaim, old: PersistentVolumeClaim, isMoved: boolean): object {
  const annotated = old.metadata.annotations?.[BETA_CLASS];
  const isNew =
    old.spec.storageClassName === undefined && (annotated === undefined || spec.storageClassName === annotated);
  const part: PersistentVolumeClaimSpec = { ...spec };
  if (isMoved || isNew) part.storageClassName = old.spec.storageClassName;
  if (status.phase !== 'Bound') return part;
  const requests = { ...spec.resources?.requests, ...pick(old.spec.resources?.requests, 'storage') };
  part.resources = { ...spec.resources, requests };
  part.volumeAttributesClassName = old.spec.volumeAttributesClassName;
  return part;
}

const pick = (amounts: Readonly<Record<string, string>> | undefined, name: string): Record<string, string> =>
  amounts?.[name] === undefined ? {} : { [name]: amounts[name] };

/** Upstream's ValidatePersistentVolumeClaimStatusUpdate. */
export function* validateClaimStatus({ status, spec }: PersistentVolumeClaim): Findings {
  if ((spec.accessModes ?? []).length === 0) yield fieldError.required(FieldPath.of('Spec', 'accessModes'));
  for (const [name, amount] of sortedAmounts(status.capacity)) {
    yield* basicAmount(amount, STATUS.child('capacity').key(name));
  }
  const states = STATUS.child('allocatedResourceStatuses');
  for (const [name, state] of sortedAmounts(status.allocatedResourceStatuses)) {
    yield* allocatedName(name, states);
    if (!RESIZE_STATES.includes(state)) yield fieldError.notSupported(states, new Verbatim(name), RESIZE_STATES);
  }
  const allocated = STATUS.child('allocatedResources');
  for (const [name, amount] of sortedAmounts(status.allocatedResources)) {
    const wrong = [...allocatedName(name, allocated)];
    if (wrong.length === 0) wrong.push(...basicAmount(amount, allocated.key(name)));
    if (wrong.length === 0) wrong.push(...resourceAmount('storage', amount, allocated.key(name)));
    yield* wrong;
  }
}

/** Upstream's validatePersistentVolumeClaimResourceKey. */
function* allocatedName(name: string, path: FieldPath): Findings {
  const wrong = [...qualifiedName(path, name)];
  yield* wrong;
  if (wrong.length === 0 && isNative(name) && name !== 'storage')
    yield fieldError.notSupported(path, name, ['storage']);
}

import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import type { Findings } from '../../validation/rules.ts';
import { validateClaimSpec } from './claim-spec.ts';

const SPEC = FieldPath.of('spec');

/** Upstream's ValidatePersistentVolumeClaim. */
export function* validateClaim({ spec }: PersistentVolumeClaim): Findings {
  yield* validateClaimSpec(spec, SPEC);
}

const FIXED_TEXT =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

/** Upstream's ValidatePersistentVolumeClaimUpdate: a bound claim may grow; everything else stays. */
export function* validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): Findings {
  const isBound = old.status.phase === 'Bound';
  const sizeOf = ({ resources }: PersistentVolumeClaimSpec): string => resources?.requests?.['storage'] ?? '0';
  const fixed = ({ spec }: PersistentVolumeClaim): object => ({
    ...spec,
    // The binder sets the volume's name once.
    volumeName: old.spec.volumeName ? spec.volumeName : undefined,
    volumeAttributesClassName: undefined,
    storageClassName: old.spec.storageClassName === undefined && !isBound ? undefined : spec.storageClassName,
    resources: isBound ? undefined : spec.resources,
  });
  if (!semanticEqual(fixed(claim), fixed(old))) {
    yield fieldError.forbidden(SPEC, `${FIXED_TEXT}\n  core.PersistentVolumeClaimSpec{\n  }\n`);
  } else if (isBound && parseQuantity(sizeOf(claim.spec)).compare(parseQuantity(sizeOf(old.spec))) < 0) {
    const status = claim.status.capacity?.['storage'];
    const recovers = status !== undefined && parseQuantity(sizeOf(claim.spec)).compare(parseQuantity(status)) > 0;
    const text = 'field can not be less than status.capacity';
    if (!recovers) yield fieldError.forbidden(SPEC.child('resources', 'requests', 'storage'), text);
  }
}

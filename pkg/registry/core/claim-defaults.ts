import type { PersistentVolumeClaimSpec } from '../../api/generated/core-v1.ts';
import { roundAmounts } from './resource-list.ts';

/** Of claims, and of the templates of claims in other objects. */
export function defaultClaimSpec(spec: PersistentVolumeClaimSpec | undefined): void {
  if (spec === undefined) return;
  spec.volumeMode ??= 'Filesystem';
  roundAmounts(spec.resources?.limits, spec.resources?.requests);
}

import type { PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, storageClasses } from '../../api/resources.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { claimSize, storageClassOf } from '../../apimachinery/volume-binding.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionPlugin } from './admission.ts';

/** Upstream's PersistentVolumeClaimResize: only bound claims of classes that allow it may grow. */
export function claimResize(store: Store): AdmissionPlugin {
  return {
    name: 'PersistentVolumeClaimResize',
    validate({ descriptor, operation, subresource, object, old }) {
      if (descriptor.type !== persistentVolumeClaims || operation !== 'UPDATE' || subresource !== undefined) return;
      const claim = object as PersistentVolumeClaim;
      const before = old as PersistentVolumeClaim;
      if (claimSize(claim).compare(claimSize(before)) <= 0) return;
      const refuse = (text: string): Error => statusErrors.forbidden(persistentVolumeClaims, claim.metadata.name, text);
      if (before.status.phase !== 'Bound') throw refuse('Only bound persistent volume claims can be expanded');
      const className = storageClassOf(claim);
      const storageClass = className === '' ? undefined : store.get(storageClasses, className)?.object;
      if (className !== storageClassOf(before) || storageClass?.allowVolumeExpansion !== true) {
        throw refuse(
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        );
      }
    },
  };
}

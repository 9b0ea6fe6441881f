import type { CSIStorageCapacity } from '../../api/generated/storage-v1.ts';
import { csiStorageCapacities } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import { nodeSelectorWarnings } from '../core/node-label-warnings.ts';
import { describe } from '../descriptor.ts';
import { dnsSubdomain, type Findings, unchanged } from '../validation/rules.ts';

/** Upstream's ValidateCSIStorageCapacity. */
function* validate({ nodeTopology, storageClassName, capacity }: CSIStorageCapacity): Findings {
  yield* validateLabelSelector(nodeTopology, FieldPath.of('nodeTopology'));
  yield* dnsSubdomain(FieldPath.of('storageClassName'), storageClassName ?? '');
  if (capacity !== undefined && parseQuantity(capacity).nanos < 0n) {
    yield fieldError.invalid('capacity', capacity, 'must be greater than or equal to 0');
  }
}

function* validateUpdate(object: CSIStorageCapacity, old: CSIStorageCapacity): Findings {
  yield* unchanged(FieldPath.of('nodeTopology'), object.nodeTopology, old.nodeTopology);
  yield* unchanged(FieldPath.of('storageClassName'), object.storageClassName, old.storageClassName);
}

export const csiStorageCapacity = describe<CSIStorageCapacity>(csiStorageCapacities, {
  allowUnconditionalUpdate: false,
  *warnings({ nodeTopology }) {
    if (nodeTopology !== undefined) yield* nodeSelectorWarnings(nodeTopology, FieldPath.of('nodeTopology'));
  },
  validate,
  updateSteps: ['object', 'metadata', 'change'],
  validateUpdate,
});

import type { CSINode } from '../../api/generated/storage-v1.ts';
import { csiNodes } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { csiDriverName } from '../core/validation/volumes.ts';
import { describe } from '../descriptor.ts';
import { each, type Findings, nonNegative } from '../validation/rules.ts';

/** Upstream's ValidateCSINode. */
function* validate({ spec }: CSINode): Findings {
  const names = new Set<string>();
  for (const [index, { name, nodeID, allocatable, topologyKeys }] of (spec.drivers ?? []).entries()) {
    const path = FieldPath.of('spec', 'drivers').index(index);
    yield* csiDriverName(name, path.child('name'));
    if (!nodeID) yield fieldError.required(path.child('nodeID'));
    else if (nodeID.length > 256) {
      yield fieldError.invalid(path.child('nodeID'), nodeID, 'must be 256 characters or less');
    }
    yield* nonNegative(path.child('allocatable', 'count'), allocatable?.count);
    if (names.has(name)) yield fieldError.duplicate(path.child('name'), name);
    names.add(name);
    const keys = topologyKeys ?? [];
    for (const [position, key] of keys.entries()) {
      if (keys.indexOf(key) < position) yield fieldError.duplicate(path.child('topologyKeys').index(position), key);
      yield* each(path.child('topologyKeys').index(position), key, isQualifiedName);
    }
  }
}

export const csiNode = describe<CSINode>(csiNodes, {
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  validate,
  columns: [
    nameColumn,
    {
      name: 'Drivers',
      type: 'integer',
      description: 'Drivers indicates the number of CSI drivers registered on the node',
      cell: ({ spec }) => (spec.drivers ?? []).length,
    },
    ageColumn,
  ],
});

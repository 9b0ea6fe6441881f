import type { CSINode } from '../../api/generated/storage-v1.ts';
import { csiNodes } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { csiDriverName } from '../core/validation/volumes.ts';
import { describe } from '../descriptor.ts';
import { type Findings, nonNegative, qualifiedName, unchanged } from '../validation/rules.ts';

const MAX_NODE_ID = 256;

/** Upstream's ValidateCSINode. */
function* validate({ spec }: CSINode): Findings {
  const names = new Set<string>();
  for (const [index, { name, nodeID, allocatable, topologyKeys }] of (spec.drivers ?? []).entries()) {
    const path = FieldPath.of('spec', 'drivers').index(index);
    yield* csiDriverName(name, path.child('name'));
    if (!nodeID) yield fieldError.required(path.child('nodeID'));
    else if (Buffer.byteLength(nodeID) > MAX_NODE_ID) {
      yield fieldError.invalid(path.child('nodeID'), nodeID, `must be ${MAX_NODE_ID} characters or less`);
    }
    yield* nonNegative(path.child('allocatable', 'count'), allocatable?.count);
    if (names.has(name)) yield fieldError.duplicate(path.child('name'), name);
    names.add(name);
    // What is wrong with a key is told of the driver.
    const keys = topologyKeys ?? [];
    for (const [position, key] of keys.entries()) {
      if (key === '') yield fieldError.required(path);
      if (keys.indexOf(key) < position) yield fieldError.duplicate(path, key);
      yield* qualifiedName(path, key);
    }
  }
}

/** Upstream's ValidateCSINodeUpdate: of a driver that stays only the count of volumes may change. */
function* validateUpdate({ spec }: CSINode, old: CSINode): Findings {
  for (const { allocatable: _, ...before } of old.spec.drivers ?? []) {
    for (const { allocatable: _a, ...after } of spec.drivers ?? []) {
      if (after.name === before.name) yield* unchanged(FieldPath.of('spec', 'drivers'), after, before);
    }
  }
}

export const csiNode = describe<CSINode>(csiNodes, {
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  validate,
  updateSteps: ['object', 'object', 'change'],
  validateUpdate,
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

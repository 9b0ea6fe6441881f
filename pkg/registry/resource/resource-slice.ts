import type { ResourceSlice } from '../../api/generated/resource-v1.ts';
import { resourceSlices } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe, type WriteContext } from '../descriptor.ts';
import { validateSlice } from './validation/slice.ts';

const DOC = 'resource.v1.ResourceSliceSpec';

/** Upstream's SetDefaults_DeviceTaint. */
function timeTaints({ spec }: ResourceSlice, { now }: WriteContext): void {
  for (const { taints } of spec.devices ?? []) for (const taint of taints ?? []) taint.timeAdded ??= now;
}

export const resourceSlice = describe<ResourceSlice>(resourceSlices, {
  generation: true,
  returnsDeleted: true,
  prepareForCreate: timeTaints,
  prepareForUpdate: (draft, _old, context) => timeTaints(draft, context),
  validateCreate: ({ spec }) => validateSlice(spec, undefined),
  validateUpdate: ({ spec }, old) => validateSlice(spec, old.spec),
  selectableFields: {
    'spec.nodeName': { read: ({ spec }) => spec.nodeName ?? '' },
    'spec.driver': { read: ({ spec }) => spec.driver },
  },
  unselectableField: (field) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${field}`,
  columns: [
    nameColumn,
    { name: 'Node', type: 'string', doc: [DOC, 'nodeName'], cell: ({ spec }) => spec.nodeName ?? '' },
    { name: 'Driver', type: 'string', doc: [DOC, 'driver'], cell: ({ spec }) => spec.driver },
    { name: 'Pool', type: 'string', doc: ['resource.v1.ResourcePool', 'name'], cell: ({ spec }) => spec.pool.name },
    ageColumn,
  ],
});

import type { ResourceSlice } from '../../api/generated/resource-v1.ts';
import { resourceSlices } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';

const DOC = 'resource.v1.ResourceSliceSpec';

export const resourceSlice = describe<ResourceSlice>(resourceSlices, {
  generation: true,
  selectableFields: {
    'spec.nodeName': { read: ({ spec }) => spec.nodeName ?? '' },
    'spec.driver': { read: ({ spec }) => spec.driver },
  },
  columns: [
    nameColumn,
    { name: 'Node', type: 'string', doc: [DOC, 'nodeName'], cell: ({ spec }) => spec.nodeName ?? '' },
    { name: 'Driver', type: 'string', doc: [DOC, 'driver'], cell: ({ spec }) => spec.driver },
    { name: 'Pool', type: 'string', doc: ['resource.v1.ResourcePool', 'name'], cell: ({ spec }) => spec.pool.name },
    ageColumn,
  ],
});

import type { Scale } from '../api/generated/autoscaling-v1.ts';
import { ageColumn } from './columns.ts';
import type { Column, ScaleSubresource } from './descriptor.ts';

/** The scale of kinds with spec.replicas, status.replicas and spec.selector: all but CronJobs and custom resources. */
export const replicasScale: ScaleSubresource = {
  type: 'scale',
  verbs: ['get', 'patch', 'update'],
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector: ['spec', 'selector'],
};

/** The columns of a Scale. */
export const scaleColumns: readonly Column[] = [
  { name: 'Name', type: 'string', doc: ['meta.v1.ObjectMeta', 'name'], cell: (object) => object.metadata.name },
  {
    name: 'Desired',
    type: 'integer',
    doc: ['autoscaling.v1.ScaleSpec', 'replicas'],
    cell: (object) => (object as Scale).spec.replicas ?? 0,
  },
  {
    name: 'Available',
    type: 'integer',
    doc: ['autoscaling.v1.ScaleStatus', 'replicas'],
    cell: (object) => (object as Scale).status.replicas,
  },
  ageColumn,
];

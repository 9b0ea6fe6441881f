import type { ScaleSubresource } from './descriptor.ts';

/** The scale of kinds with spec.replicas, status.replicas and spec.selector: all but CronJobs and custom resources. */
export const replicasScale: ScaleSubresource = {
  type: 'scale',
  verbs: ['get', 'patch', 'update'],
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  selector: ['spec', 'selector'],
};

import type { Pod } from '../../api/generated/core-v1.ts';
import { nodes, pods } from '../../api/resources.ts';
import { topologyLabelsOf } from '../../registry/core/topology-labels.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionPlugin } from './admission.ts';

/** Upstream's PodTopologyLabels, for Pods that are made on a node; of others the binding sees to it. */
export const podTopologyLabels = (store: Store): AdmissionPlugin => ({
  name: 'PodTopologyLabels',
  mutate({ descriptor, operation, subresource, object }) {
    if (descriptor.type !== pods || operation !== 'CREATE' || subresource !== undefined) return;
    const { metadata, spec } = object as Pod;
    if (!spec.nodeName) return;
    const labels = topologyLabelsOf(store.get(nodes, spec.nodeName)?.object);
    if (Object.keys(labels).length > 0) metadata.labels = { ...metadata.labels, ...labels };
  },
});

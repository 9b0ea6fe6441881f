import type { Node } from '../../api/generated/core-v1.ts';
import { nodes } from '../../api/resources.ts';
import type { AdmissionPlugin } from './admission.ts';

const NOT_READY = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

/** Upstream's TaintNodesByCondition: a new node takes no Pods until the node controller has seen it ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  mutate({ descriptor, operation, subresource, object }) {
    if (descriptor.type !== nodes || operation !== 'CREATE' || subresource !== undefined) return;
    const node = object as Node;
    const taints = node.spec?.taints ?? [];
    if (taints.some(({ key, effect }) => key === NOT_READY.key && effect === NOT_READY.effect)) return;
    node.spec = { ...node.spec, taints: [...taints, { ...NOT_READY }] };
  },
};

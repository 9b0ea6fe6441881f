/** The Pods of a DaemonSet, and which nodes they belong on. */
import type { DaemonSet } from '../../api/generated/apps-v1.ts';
import type { Affinity, Node, Pod, PodSpec, Toleration } from '../../api/generated/core-v1.ts';
import { daemonSets } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { requiredNodeMatcher } from '../../apimachinery/node-selector.ts';
import { untolerated } from '../../apimachinery/taints.ts';
import { podFromTemplate } from '../pod-control.ts';

export const REVISION_HASH = 'controller-revision-hash';
const TEMPLATE_GENERATION = 'pod-template-generation';
const TEMPLATE_GENERATION_ANNOTATION = 'deprecated.daemonset.template.generation';
const NODE_NAME_FIELD = 'metadata.name';

/** A daemon stays, and starts, where the node's troubles keep other Pods away. */
const TOLERATED: readonly (readonly [key: string, effect: string])[] = [
  ['node.kubernetes.io/not-ready', 'NoExecute'],
  ['node.kubernetes.io/unreachable', 'NoExecute'],
  ['node.kubernetes.io/disk-pressure', 'NoSchedule'],
  ['node.kubernetes.io/memory-pressure', 'NoSchedule'],
  ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
  ['node.kubernetes.io/unschedulable', 'NoSchedule'],
];
const NETWORK_UNAVAILABLE = ['node.kubernetes.io/network-unavailable', 'NoSchedule'] as const;

/** The tolerations of the Pods: the template's, and those every daemon gets. */
export function daemonTolerations(spec: PodSpec): Toleration[] {
  const tolerations = [...(spec.tolerations ?? [])];
  for (const [key, effect] of spec.hostNetwork ? [...TOLERATED, NETWORK_UNAVAILABLE] : TOLERATED) {
    const index = tolerations.findIndex(
      (other) => other.key === key && other.effect === effect && other.operator === 'Exists' && !other.value,
    );
    const toleration = { key, operator: 'Exists', effect };
    if (index < 0) tolerations.push(toleration);
    else tolerations[index] = toleration;
  }
  return tolerations;
}

/** The Pod for the node named `nodeName`: the scheduler will find that it fits there and nowhere else. */
export function daemonPod(set: DaemonSet, nodeName: string, hash: string): Input<Pod> {
  const pod = podFromTemplate(set.spec.template, daemonSets, set);
  const generation = set.metadata.annotations?.[TEMPLATE_GENERATION_ANNOTATION];
  const spec = set.spec.template.spec ?? { containers: [] };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...set.spec.template.metadata?.labels,
        ...(generation !== undefined && { [TEMPLATE_GENERATION]: generation }),
        [REVISION_HASH]: hash,
      },
    },
    spec: { ...spec, tolerations: daemonTolerations(spec), affinity: pinned(spec.affinity, nodeName) },
  };
}

function pinned(affinity: Affinity | undefined, nodeName: string): Affinity {
  const matchFields = [{ key: NODE_NAME_FIELD, operator: 'In', values: [nodeName] }];
  const required = { nodeSelectorTerms: [{ matchFields }] };
  const nodeAffinity = { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required };
  return { ...affinity, nodeAffinity };
}

/** The node a Pod of a DaemonSet runs or is to run on. */
export function targetNode({ spec }: Pod): string | undefined {
  if (spec.nodeName) return spec.nodeName;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const { matchFields = [] } of required?.nodeSelectorTerms ?? []) {
    const field = matchFields.find(({ key, operator }) => key === NODE_NAME_FIELD && operator === 'In');
    if (field?.values?.length === 1) return field.values[0];
  }
  return undefined;
}

export interface Placement {
  /** A Pod is to be there. */
  readonly shouldRun: boolean;
  /** A Pod that is there may stay. */
  readonly mayStay: boolean;
}

const NEITHER: Placement = { shouldRun: false, mayStay: false };

/** A function that tells what `set` wants on a node. Prepared once: it is asked for every node. */
export function placementOf({ spec }: DaemonSet): (node: Node) => Placement {
  const podSpec = spec.template.spec ?? { containers: [] };
  const matches = requiredNodeMatcher({ spec: podSpec } as Pod);
  const tolerations = daemonTolerations(podSpec);
  return (node) => {
    if (podSpec.nodeName && podSpec.nodeName !== node.metadata.name) return NEITHER;
    if (!matches(node)) return NEITHER;
    const { taints } = node.spec;
    if (untolerated(taints, tolerations, ['NoExecute', 'NoSchedule']) === undefined) {
      return { shouldRun: true, mayStay: true };
    }
    return { shouldRun: false, mayStay: untolerated(taints, tolerations, ['NoExecute']) === undefined };
  };
}

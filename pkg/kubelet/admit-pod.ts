/** Whether a Pod that was given to this node may run on it: upstream kubelet's predicate admission. Pure. */
import type { Node, Pod } from '../api/generated/core-v1.ts';
import { hostPortsOf, PORTS_TAKEN, portsConflict } from '../apimachinery/host-ports.ts';
import { NODE_NOT_WANTED, requiredNodeMatcher } from '../apimachinery/node-selector.ts';
import { type Amounts, addAmounts, amountsOf, podRequests } from '../apimachinery/pod-requests.ts';
import { qosClass } from '../apimachinery/qos.ts';
import { shortages } from '../apimachinery/resource-fit.ts';
import { untolerated } from '../apimachinery/taints.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { KubeletPodStatus } from './status.ts';

/** Why a Pod may not run here. */
export interface AdmissionRefusal {
  /** `OutOfcpu`, `NodePorts`: the Pod's reason, and the event's. */
  readonly reason: string;
  readonly message: string;
}

const OS = 'linux';
const OS_LABEL = 'kubernetes.io/os';

/**
 * Why `pod` may not run on `node` beside `others`, the Pods that take room there; undefined when it may. Only what
 * comes first is told: what no room would help with, resources, labels, ports, taints.
 */
export function admitPod(pod: Pod, node: Node, others: readonly Pod[]): AdmissionRefusal | undefined {
  return wrongSystem(pod) ?? lacking(pod, node, others) ?? unfit(pod, node, others);
}

function wrongSystem({ metadata, spec }: Pod): AdmissionRefusal | undefined {
  if ((metadata.labels?.[OS_LABEL] ?? OS) !== OS) {
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: `Failed to admit pod as the \`${OS_LABEL}\` label doesn't match node label`,
    };
  }
  if ((spec.os?.name ?? OS) === OS) return undefined;
  return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
}

function lacking(pod: Pod, node: Node, others: readonly Pod[]): AdmissionRefusal | undefined {
  const allocatable = amountsOf(node.status.allocatable);
  const requested: Amounts = new Map();
  for (const other of others) addAmounts(requested, podRequests(other));
  const requests = podRequests(pod);
  // Resources of the cluster rather than of its nodes are somebody else's to count.
  for (const name of requests.keys()) if (isExtended(name) && !allocatable.has(name)) requests.delete(name);
  const [first] = shortages(requests, { allocatable, requested, podCount: others.length });
  if (first === undefined) return undefined;
  const amounts = `requested: ${first.requested}, used: ${first.used}, capacity: ${first.capacity}`;
  return {
    reason: `OutOf${first.resource}`,
    message: `Node didn't have enough resource: ${first.resource}, ${amounts}`,
  };
}

/** Whether `name` is a resource that neither Kubernetes itself nor a quota names. */
function isExtended(name: string): boolean {
  return name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.');
}

function unfit(pod: Pod, node: Node, others: readonly Pod[]): AdmissionRefusal | undefined {
  if (!requiredNodeMatcher(pod)(node)) return failedPredicate('NodeAffinity', NODE_NOT_WANTED);
  const wanted = hostPortsOf(pod);
  const taken = wanted.length === 0 ? [] : others.flatMap(hostPortsOf);
  if (wanted.some((port) => taken.some((other) => portsConflict(port, other)))) {
    return failedPredicate('NodePorts', PORTS_TAKEN);
  }
  // Other effects are the scheduler's: who names a node himself passes it by.
  if (untolerated(node.spec.taints, pod.spec.tolerations, ['NoExecute']) === undefined) return undefined;
  return failedPredicate('TaintToleration', "node(s) had taints that the pod didn't tolerate");
}

function failedPredicate(reason: string, why: string): AdmissionRefusal {
  return { reason, message: `Predicate ${reason} failed: ${why}` };
}

/** The whole status of a Pod that was refused at `now` (milliseconds since the epoch). */
export function refusedStatus(pod: Pod, refusal: AdmissionRefusal, now: number): KubeletPodStatus {
  const { generation } = pod.metadata;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase: 'Failed',
    reason: refusal.reason,
    message: `Pod was rejected: ${refusal.message}`,
    startTime: pod.status.startTime ?? formatTime(now),
    qosClass: pod.status.qosClass ?? qosClass(pod),
  };
}

/** `pods` in the order in which they are judged: what runs already, then by age. */
export function inAdmissionOrder(pods: readonly Pod[], runsAlready: (pod: Pod) => boolean): Pod[] {
  const rank = (pod: Pod): number => (runsAlready(pod) ? 0 : 1);
  const created = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '') || 0;
  return [...pods].sort((a, b) => rank(a) - rank(b) || created(a) - created(b));
}

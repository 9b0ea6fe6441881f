import type { Pod } from '../../api/generated/core-v1.ts';
import { podDisruptionBudgets, pods } from '../../api/resources.ts';
import { isBeingDeleted } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { countReasons } from '../fit-message.ts';
import type { ClusterView, FailedAttempt, Plugin, Refusal } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import { podPriority } from '../pod-priority.ts';
import { type Candidate, parseBudgets, pickCandidate, selectVictims } from '../preemption.ts';
import type { PluginContext } from './default-plugins.ts';

const NOT_HELPFUL: Refusal = { resolvable: false, reasons: ['Preemption is not helpful for scheduling'] };
/** What upstream's plugin for resource claims adds to every such message; kedge deallocates no claims yet. */
const NO_CLAIMS = 'no new claims to deallocate';
const REASON = 'PreemptionByScheduler';
/** Of many nodes a tenth is looked at, but not fewer than this. */
const FEWEST_CANDIDATES = 100;

/** Makes room for Pods that fit nowhere by taking Pods of lower priority away. */
export function defaultPreemption({ client, clock, recorder, random }: PluginContext): Plugin {
  const budgets = client.informer(podDisruptionBudgets);
  /** Pods whose victims are being taken away just now. */
  const acting = new Set<string>();

  async function evict(victim: Pod, pod: Pod, nodeName: string): Promise<void> {
    const { name, namespace = '' } = victim.metadata;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: REASON,
      message: `${pod.spec.schedulerName ?? 'default-scheduler'}: preempting to accommodate a higher priority pod`,
      lastProbeTime: null,
      lastTransitionTime: formatTime(clock.now()),
    };
    try {
      if (!isBeingDeleted(victim)) {
        const body = { status: { conditions: [condition] } };
        await client.patch(pods, name, { type: 'strategic', body }, { namespace, subresource: 'status' });
        await client.delete(pods, name, { namespace, preconditions: { uid: victim.metadata.uid } });
      }
    } catch (error) {
      // Gone already: that is the room that was wanted.
      if (!isStatusReason(error, 'NotFound') && !isStatusReason(error, 'Conflict')) throw error;
    }
    const message = `Preempted by pod ${pod.metadata.uid} on node ${nodeName}`;
    recorder.event(referenceTo(pods, victim), 'Normal', 'Preempted', message);
  }

  /** Room is no longer kept for Pods of lower priority: they may find another node. */
  async function clearNomination({ metadata }: Pod): Promise<void> {
    const { name, namespace = '' } = metadata;
    const body = { status: { nominatedNodeName: null } };
    try {
      await client.patch(pods, name, { type: 'strategic', body }, { namespace, subresource: 'status' });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  async function act(pod: Pod, { node, victims }: Candidate, outranked: readonly Pod[]): Promise<void> {
    const { uid } = pod.metadata;
    acting.add(uid);
    try {
      await Promise.all([...victims.map((victim) => evict(victim, pod, node.name)), ...outranked.map(clearNomination)]);
    } finally {
      acting.delete(uid);
    }
  }

  return {
    name: 'DefaultPreemption',
    postFilter(attempt) {
      const { pod, cluster, diagnosis } = attempt;
      const ineligible = whyNot(attempt, acting);
      if (ineligible !== undefined) return { message: `${NO_CLAIMS}, preemption: ${ineligible}` };
      const now = clock.now();
      const { candidates, refusals } = findCandidates(attempt, parseBudgets(budgets.list()), now, random());
      const best = pickCandidate(candidates, now);
      if (best === undefined) {
        const unhelped = Math.max(0, diagnosis.nodeCount - refusals.length);
        const reasons = countReasons(diagnosis.nodeCount, [...refusals, ...Array(unhelped).fill(NOT_HELPFUL)]);
        return { nominatedNodeName: '', message: `${NO_CLAIMS}, preemption: ${reasons}` };
      }
      const outranked = outrankedBy(pod, cluster, best.node.name);
      return { nominatedNodeName: best.node.name, message: '', act: () => act(pod, best, outranked) };
    },
  };
}

/** Why the Pod may not take others away now. */
function whyNot({ pod, cluster, diagnosis }: FailedAttempt, acting: ReadonlySet<string>): string | undefined {
  if (pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const waiting = 'not eligible due to a terminating pod on the nominated node.';
  if (acting.has(pod.metadata.uid)) return waiting;
  const nominated = cluster.nodes.find(({ name }) =>
    cluster.nominated?.(name).some(({ metadata }) => metadata.uid === pod.metadata.uid),
  );
  // Where it can never go, waiting is in vain.
  if (nominated === undefined || diagnosis.nodes.get(nominated.name)?.resolvable === false) return undefined;
  const going = [...nominated.pods()].some(
    (other) => podPriority(other) < podPriority(pod) && isBeingDeleted(other) && wasPreempted(other),
  );
  return going ? waiting : undefined;
}

const wasPreempted = ({ status }: Pod): boolean =>
  (status.conditions ?? []).some(
    ({ type, status: value, reason }) => type === 'DisruptionTarget' && value === 'True' && reason === REASON,
  );

function findCandidates(
  { pod, cluster, diagnosis, filters }: FailedAttempt,
  budgets: ReturnType<typeof parseBudgets>,
  now: number,
  chance: number,
): { candidates: Candidate[]; refusals: Refusal[] } {
  const candidates: Candidate[] = [];
  const refusals: Refusal[] = [];
  const nodes: NodeInfo[] =
    filters === undefined ? [] : cluster.nodes.filter(({ name }) => diagnosis.nodes.get(name)?.resolvable === true);
  const enough = Math.max(Math.floor(nodes.length / 10), FEWEST_CANDIDATES);
  const start = Math.floor(chance * nodes.length);
  for (let index = 0; index < nodes.length && candidates.length < enough; index++) {
    const node = nodes[(start + index) % nodes.length];
    if (node === undefined || filters === undefined) continue;
    const found = selectVictims(pod, node, filters, budgets, now);
    if ('victims' in found) candidates.push(found);
    else refusals.push(found);
  }
  return { candidates, refusals };
}

/** Pods of lower priority that were waiting for room on the node. */
const outrankedBy = (pod: Pod, cluster: ClusterView, nodeName: string): Pod[] =>
  (cluster.nominated?.(nodeName) ?? []).filter(
    (other) => other.metadata.uid !== pod.metadata.uid && podPriority(other) < podPriority(pod),
  );

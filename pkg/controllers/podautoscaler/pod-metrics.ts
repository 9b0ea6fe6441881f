/** Pods as the autoscaler sees them: what they use, what they request, whose numbers count. */
import type { Container, Pod } from '../../api/generated/core-v1.ts';
import { getCondition } from '../../apimachinery/object-meta.ts';
import { parseQuantity } from '../../apimachinery/quantity.ts';
import { parseTime } from '../../apimachinery/time.ts';

/** One Pod's use of a resource in thousandths. */
export interface PodMetric {
  readonly value: number;
  /** Milliseconds since the epoch, and over how many of them before that. */
  readonly at: number;
  readonly windowMs: number;
}

export type PodMetrics = ReadonlyMap<string, PodMetric>;

/** --horizontal-pod-autoscaler-cpu-initialization-period: a starting Pod's CPU use says little for so long. */
const INITIALIZATION_MS = 5 * 60_000;
/** --horizontal-pod-autoscaler-initial-readiness-delay: who became unready later than this has been ready before. */
const READINESS_DELAY_MS = 30_000;

export interface PodGroups {
  readonly readyCount: number;
  /** Not ready yet: their numbers do not count. */
  readonly unready: ReadonlySet<string>;
  /** Without numbers. */
  readonly missing: ReadonlySet<string>;
  /** Going or gone. */
  readonly ignored: ReadonlySet<string>;
}

/** Tells Pods by what their numbers are worth (upstream: groupPods). */
export function groupPods(pods: readonly Pod[], metrics: PodMetrics, resource: string, now: number): PodGroups {
  const [unready, missing, ignored] = [new Set<string>(), new Set<string>(), new Set<string>()];
  let readyCount = 0;
  for (const pod of pods) {
    const { name, deletionTimestamp } = pod.metadata;
    const metric = metrics.get(name);
    if (deletionTimestamp !== undefined || pod.status.phase === 'Failed') ignored.add(name);
    else if (pod.status.phase === 'Pending') unready.add(name);
    else if (metric === undefined) missing.add(name);
    else if (resource === 'cpu' && isStarting(pod, metric, now)) unready.add(name);
    else readyCount++;
  }
  return { readyCount, unready, missing, ignored };
}

function isStarting({ status }: Pod, metric: PodMetric, now: number): boolean {
  const ready = getCondition(status.conditions, 'Ready');
  const startedAt = parseTime(status.startTime);
  if (ready === undefined || startedAt === undefined) return true;
  const changedAt = parseTime(ready.lastTransitionTime) ?? 0;
  if (startedAt + INITIALIZATION_MS > now) {
    return ready.status === 'False' || metric.at < changedAt + metric.windowMs;
  }
  return ready.status === 'False' && startedAt + READINESS_DELAY_MS > changedAt;
}

/** What each Pod requests of `resource`, in thousandths; of one container if it is named. Throws where one says nothing. */
export function podRequests(
  pods: readonly Pod[],
  resource: string,
  container: string | undefined,
): ReadonlyMap<string, number> {
  return new Map(pods.map((pod) => [pod.metadata.name, requestOf(pod, resource, container)]));
}

function requestOf(pod: Pod, resource: string, only: string | undefined): number {
  const { containers, initContainers = [], resources } = pod.spec;
  const whole = resources?.requests?.[resource];
  if (only === undefined && whole !== undefined) return parseQuantity(whole).milliValue();
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
  const counted = [...containers, ...sidecars].filter(({ name }) => only === undefined || name === only);
  return counted.reduce((sum, one) => sum + containerRequest(pod, one, resource), 0);
}

function containerRequest(pod: Pod, container: Container, resource: string): number {
  const text = container.resources?.requests?.[resource];
  if (text !== undefined) return parseQuantity(text).milliValue();
  throw new Error(`missing request for ${resource} in container ${container.name} of Pod ${pod.metadata.name}`);
}

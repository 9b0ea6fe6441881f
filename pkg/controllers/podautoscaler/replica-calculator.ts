/** How many replicas a metric asks for: upstream's ReplicaCalculator, without its reads. */
import type { Pod } from '../../api/generated/core-v1.ts';
import { groupPods, type PodMetric, type PodMetrics, podRequests } from './pod-metrics.ts';

/** How far a ratio may be from 1 before anything is done. */
export interface Tolerances {
  readonly up: number;
  readonly down: number;
}

export interface CalculationInput {
  readonly currentReplicas: number;
  /** The Pods the target selects. */
  readonly pods: readonly Pod[];
  readonly metrics: PodMetrics;
  readonly resource: string;
  /** Of a ContainerResource metric. */
  readonly container?: string | undefined;
  readonly tolerances: Tolerances;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Proposal {
  readonly replicas: number;
  /** Percent of the request; of Utilization targets only. */
  readonly utilization?: number;
  /** Average per Pod, thousandths. */
  readonly average: number;
}

interface Ratio {
  readonly ratio: number;
  readonly utilization?: number;
  readonly average: number;
}

type Measure = (metrics: PodMetrics) => Ratio;

/** For a target of `percent` of what the Pods request. Throws what keeps it from being worked out. */
export function replicasForUtilization(input: CalculationInput, percent: number): Proposal {
  const counted = countedMetrics(input);
  const requests = podRequests(input.pods, input.resource, input.container);
  const measure: Measure = (metrics) => utilizationRatio(metrics, requests, percent);
  // On the way down a Pod without numbers counts as one that uses all it may.
  const fallback = (pod: string): number => Math.trunc(((requests.get(pod) ?? 0) * Math.max(100, percent)) / 100);
  return propose(input, counted, measure, fallback);
}

/** For a target of `average` thousandths for each Pod. */
export function replicasForAverage(input: CalculationInput, average: number): Proposal {
  const measure: Measure = (metrics) => {
    const total = [...metrics.values()].reduce((sum, { value }) => sum + value, 0);
    const usage = Math.trunc(total / metrics.size);
    return { ratio: usage / average, average: usage };
  };
  return propose(input, countedMetrics(input), measure, () => average);
}

interface Counted {
  readonly metrics: PodMetrics;
  readonly readyCount: number;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
}

function countedMetrics({ pods, metrics, resource, now }: CalculationInput): Counted {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const { readyCount, unready, missing, ignored } = groupPods(pods, metrics, resource, now);
  const counted = new Map([...metrics].filter(([name]) => !ignored.has(name) && !unready.has(name)));
  if (counted.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  return { metrics: counted, readyCount, unready, missing };
}

function propose(
  { currentReplicas, tolerances }: CalculationInput,
  { metrics, readyCount, unready, missing }: Counted,
  measure: Measure,
  fallback: (pod: string) => number,
): Proposal {
  const { ratio, ...seen } = measure(metrics);
  const isTolerated = (value: number): boolean => 1 - tolerances.down <= value && value <= 1 + tolerances.up;
  const withUnready = unready.size > 0 && ratio > 1;
  if (!withUnready && missing.size === 0) {
    return { ...seen, replicas: isTolerated(ratio) ? currentReplicas : Math.ceil(ratio * readyCount) };
  }
  // Whatever is not known is taken to speak against the change, and must not turn it around.
  const assumed = new Map<string, PodMetric>(metrics);
  const assume = (pod: string, value: number): unknown => assumed.set(pod, { value, at: 0, windowMs: 0 });
  if (ratio < 1) for (const pod of missing) assume(pod, fallback(pod));
  if (ratio > 1) for (const pod of missing) assume(pod, 0);
  if (withUnready) for (const pod of unready) assume(pod, 0);
  const { ratio: careful } = measure(assumed);
  const turned = (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1);
  if (isTolerated(careful) || turned) return { ...seen, replicas: currentReplicas };
  const replicas = Math.ceil(careful * assumed.size);
  const backwards = (careful < 1 && replicas > currentReplicas) || (careful > 1 && replicas < currentReplicas);
  return { ...seen, replicas: backwards ? currentReplicas : replicas };
}

function utilizationRatio(metrics: PodMetrics, requests: ReadonlyMap<string, number>, percent: number): Ratio {
  let used = 0;
  let requested = 0;
  let count = 0;
  for (const [pod, { value }] of metrics) {
    const request = requests.get(pod);
    if (request === undefined) continue;
    used += value;
    requested += request;
    count++;
  }
  if (requested === 0) throw new Error('no metrics returned matched known pods');
  const utilization = Math.trunc((used * 100) / requested);
  return { ratio: utilization / percent, utilization, average: Math.trunc(used / count) };
}

/** From what the metrics ask for to what is done: limits, stabilisation windows, scaling policies. */
import type {
  HorizontalPodAutoscalerSpec,
  HPAScalingPolicy,
  HPAScalingRules,
} from '../../api/generated/autoscaling-v2.ts';

/** At `at` (milliseconds since the epoch) the metrics asked for `replicas`. */
export interface Recommendation {
  readonly at: number;
  readonly replicas: number;
}

/** At `at` so many replicas were added (or taken away). */
export interface ScaleEvent {
  readonly at: number;
  readonly change: number;
}

/** What is remembered of one autoscaler. */
export interface ScalingHistory {
  readonly recommendations: readonly Recommendation[];
  readonly ups: readonly ScaleEvent[];
  readonly downs: readonly ScaleEvent[];
}

export const NO_HISTORY: ScalingHistory = { recommendations: [], ups: [], downs: [] };

/** --horizontal-pod-autoscaler-downscale-stabilization. */
const DOWNSCALE_WINDOW_SECONDS = 300;
/** Without rules of its own an autoscaler at most doubles, and may always go to four. */
const SCALE_UP_FACTOR = 2;
const SCALE_UP_FLOOR = 4;

/** Part of a condition. */
export interface Verdict {
  readonly reason: string;
  readonly message: string;
}

export interface Normalized {
  readonly replicas: number;
  /** Undefined when the size is what was asked for: the autoscaler is ready for the next. */
  readonly stabilized: Verdict | undefined;
  readonly limited: boolean;
  readonly limit: Verdict;
  readonly recommendations: readonly Recommendation[];
}

export interface NormalizeInput {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly current: number;
  /** What the metrics ask for. */
  readonly wanted: number;
  readonly history: ScalingHistory;
  readonly now: number;
}

const SCALED_DOWN_LATER: Verdict = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const SCALED_UP_LATER: Verdict = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const WITHIN: Verdict = {
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
};
const TOO_MANY: Verdict = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const TOO_FEW: Verdict = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const TOO_FAST_UP: Verdict = {
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
};
const TOO_FAST_DOWN: Verdict = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
};

/** The size to go to from `current` when the metrics ask for `wanted`. */
export function normalizeReplicas(input: NormalizeInput): Normalized {
  const { spec, wanted, history, now } = input;
  const stable = spec.behavior === undefined ? stableByDefault(input) : stableByRules(input);
  const { replicas, limit } = spec.behavior === undefined ? limitByDefault(input, stable) : limitByRules(input, stable);
  const late = wanted >= input.current && spec.behavior !== undefined ? SCALED_UP_LATER : SCALED_DOWN_LATER;
  return {
    replicas,
    stabilized: stable === wanted ? undefined : late,
    limited: replicas !== stable,
    limit,
    recommendations: [
      ...history.recommendations.filter(({ at }) => at > now - longestWindowMs(spec)),
      { at: now, replicas: wanted },
    ],
  };
}

const downWindow = ({ behavior }: HorizontalPodAutoscalerSpec): number =>
  behavior?.scaleDown?.stabilizationWindowSeconds ?? DOWNSCALE_WINDOW_SECONDS;
const upWindow = ({ behavior }: HorizontalPodAutoscalerSpec): number =>
  behavior?.scaleUp?.stabilizationWindowSeconds ?? 0;

const longestWindowMs = (spec: HorizontalPodAutoscalerSpec): number =>
  Math.max(downWindow(spec), upWindow(spec)) * 1000;

function stableByDefault({ spec, wanted, history, now }: NormalizeInput): number {
  const since = now - downWindow(spec) * 1000;
  return history.recommendations.reduce(
    (most, { at, replicas }) => (at < since ? most : Math.max(most, replicas)),
    wanted,
  );
}

/** The current size, moved into the range that recent recommendations agree on. */
function stableByRules({ spec, current, wanted, history, now }: NormalizeInput): number {
  let [up, down] = [wanted, wanted];
  for (const { at, replicas } of history.recommendations) {
    if (at > now - upWindow(spec) * 1000) up = Math.min(up, replicas);
    if (at > now - downWindow(spec) * 1000) down = Math.max(down, replicas);
  }
  return Math.min(Math.max(current, up), Math.max(up, down));
}

interface Limited {
  readonly replicas: number;
  readonly limit: Verdict;
}

function limitByDefault({ spec, current }: NormalizeInput, wanted: number): Limited {
  const fastest = Math.max(SCALE_UP_FACTOR * current, SCALE_UP_FLOOR);
  const [most, limit] = spec.maxReplicas > fastest ? [fastest, TOO_FAST_UP] : [spec.maxReplicas, TOO_MANY];
  const least = spec.minReplicas ?? 1;
  if (wanted < least) return { replicas: least, limit: TOO_FEW };
  return wanted > most ? { replicas: most, limit } : { replicas: wanted, limit: WITHIN };
}

function limitByRules({ spec, current, history, now }: NormalizeInput, wanted: number): Limited {
  const { behavior, maxReplicas, minReplicas = 1 } = spec;
  if (wanted > current) {
    // While scaling up never down, whatever the policies add up to.
    const fastest = Math.max(current, upLimit(current, history, behavior?.scaleUp, now));
    const [most, limit] = maxReplicas > fastest ? [fastest, TOO_FAST_UP] : [maxReplicas, TOO_MANY];
    if (wanted > most) return { replicas: most, limit };
  } else if (wanted < current) {
    const fastest = Math.min(current, downLimit(current, history, behavior?.scaleDown, now));
    const [least, limit] = minReplicas < fastest ? [fastest, TOO_FAST_DOWN] : [minReplicas, TOO_FEW];
    if (wanted < least) return { replicas: least, limit };
  }
  return { replicas: wanted, limit: WITHIN };
}

/** How many there were when the policy's period began. */
function replicasAtStart(
  current: number,
  { ups, downs }: ScalingHistory,
  policy: HPAScalingPolicy,
  now: number,
): number {
  const within = (events: readonly ScaleEvent[]): number =>
    events.reduce((sum, { at, change }) => (at > now - policy.periodSeconds * 1000 ? sum + change : sum), 0);
  return current - within(ups) + within(downs);
}

function upLimit(current: number, history: ScalingHistory, rules: HPAScalingRules | undefined, now: number): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const proposals = (rules?.policies ?? []).map((policy) => {
    const start = replicasAtStart(current, history, policy, now);
    return policy.type === 'Pods' ? start + policy.value : Math.ceil(start * (1 + policy.value / 100));
  });
  return rules?.selectPolicy === 'Min' ? Math.min(...proposals) : Math.max(...proposals);
}

function downLimit(current: number, history: ScalingHistory, rules: HPAScalingRules | undefined, now: number): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const proposals = (rules?.policies ?? []).map((policy) => {
    const start = replicasAtStart(current, history, policy, now);
    return policy.type === 'Pods' ? start - policy.value : Math.trunc(start * (1 - policy.value / 100));
  });
  // The least change leaves the most.
  return rules?.selectPolicy === 'Min' ? Math.max(...proposals) : Math.min(...proposals);
}

/** The history with one more change of size; what no policy looks back to is dropped. */
export function recordScaling(
  history: ScalingHistory,
  { behavior }: HorizontalPodAutoscalerSpec,
  from: number,
  to: number,
  now: number,
): ScalingHistory {
  if (behavior === undefined || from === to) return history;
  const longest = (rules: HPAScalingRules | undefined): number =>
    Math.max(0, ...(rules?.policies ?? []).map(({ periodSeconds }) => periodSeconds)) * 1000;
  // Both kinds of policy look at both kinds of events.
  const since = now - Math.max(longest(behavior.scaleUp), longest(behavior.scaleDown));
  const recent = (events: readonly ScaleEvent[]): ScaleEvent[] => events.filter(({ at }) => at > since);
  const event = { at: now, change: Math.abs(to - from) };
  const { ups, downs } = history;
  return to > from
    ? { ...history, ups: [...recent(ups), event], downs: recent(downs) }
    : { ...history, ups: recent(ups), downs: [...recent(downs), event] };
}

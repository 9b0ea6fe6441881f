/** Which Pods would have to go so that another fits: pure, by upstream's rules. */
import type { Pod } from '../api/generated/core-v1.ts';
import type { PodDisruptionBudget } from '../api/generated/policy-v1.ts';
import { type LabelMatcher, labelMatcher } from '../apimachinery/labels.ts';
import type { Refusal } from './framework.ts';
import type { NodeFilters } from './node-filters.ts';
import type { NodeInfo } from './node-info.ts';
import { byImportance, podPriority, podStartTime } from './pod-priority.ts';

export const NO_VICTIMS: Refusal = {
  resolvable: false,
  reasons: ['No preemption victims found for incoming pod'],
};

/** A node on which the Pod would fit. */
export interface Candidate {
  readonly node: NodeInfo;
  /** At least one; the most important first. */
  readonly victims: readonly Pod[];
  /** How many of them a disruption budget guards that allows no more disruptions. */
  readonly violations: number;
}

export interface Budget {
  readonly budget: PodDisruptionBudget;
  readonly selector: LabelMatcher;
}

/** The budgets that select anything. Throws an Error when a selector is malformed. */
export function parseBudgets(budgets: readonly PodDisruptionBudget[]): Budget[] {
  return budgets
    .map((budget) => ({ budget, selector: labelMatcher(budget.spec.selector) }))
    .filter(({ selector }) => !selector.isEverything && !selector.isNothing);
}

/**
 * The fewest and least important Pods of lower priority than `pod` that make room on `node`, or why that does not
 * help: all of them are taken off, then put back one by one as long as the Pod still fits, beginning with those that a
 * budget guards and among them with the most important.
 */
export function selectVictims(
  pod: Pod,
  node: NodeInfo,
  filters: NodeFilters,
  budgets: readonly Budget[],
  now: number,
): Candidate | Refusal {
  const potential = [...node.pods()].filter((other) => podPriority(other) < podPriority(pod));
  if (potential.length === 0) return NO_VICTIMS;
  return filters.trial(node, (trial) => {
    for (const victim of potential) trial.remove(victim);
    const hopeless = trial.check();
    if (hopeless !== undefined) return hopeless.refusal;
    const compare = byImportance(now);
    const victims: Pod[] = [];
    const spared = (other: Pod): boolean => {
      trial.add(other);
      if (trial.check() === undefined) return true;
      trial.remove(other);
      victims.push(other);
      return false;
    };
    const { guarded, free } = byBudget(potential.sort(compare), budgets);
    const violations = guarded.filter((other) => !spared(other)).length;
    free.forEach(spared);
    return { node, victims: victims.sort(compare), violations };
  });
}

/** Which of `pods`, most important first, a budget would not let go. */
function byBudget(pods: readonly Pod[], budgets: readonly Budget[]): { guarded: Pod[]; free: Pod[] } {
  const left = new Map(budgets.map(({ budget }) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  const guarded: Pod[] = [];
  const free: Pod[] = [];
  for (const pod of pods) {
    const { name, namespace, labels = {} } = pod.metadata;
    let violated = false;
    for (const { budget, selector } of Object.keys(labels).length === 0 ? [] : budgets) {
      if (budget.metadata.namespace !== namespace || !selector.matches(labels)) continue;
      // The API has counted this Pod as disrupted already.
      if (budget.status?.disruptedPods?.[name] !== undefined) continue;
      const remaining = (left.get(budget) ?? 0) - 1;
      left.set(budget, remaining);
      if (remaining < 0) violated = true;
    }
    (violated ? guarded : free).push(pod);
  }
  return { guarded, free };
}

/** Keeps priorities positive, so that more victims always weigh more. */
const PRIORITY_OFFSET = 2 ** 31;

/**
 * The candidate that costs least: fewest violated budgets, then the lowest highest priority among the victims, the
 * smallest sum of priorities, the fewest victims, and the highest ones that started last.
 */
export function pickCandidate(candidates: readonly Candidate[], now: number): Candidate | undefined {
  const costs: ((candidate: Candidate) => number)[] = [
    ({ violations }) => violations,
    ({ victims }) => highest(victims),
    ({ victims }) => victims.reduce((sum, victim) => sum + podPriority(victim) + PRIORITY_OFFSET, 0),
    ({ victims }) => victims.length,
    ({ victims }) => {
      const top = victims.filter((victim) => podPriority(victim) === highest(victims));
      return -Math.min(...top.map((victim) => podStartTime(victim, now)));
    },
  ];
  let best = candidates;
  for (const cost of costs) {
    if (best.length <= 1) break;
    const least = Math.min(...best.map(cost));
    best = best.filter((candidate) => cost(candidate) === least);
  }
  return best[0];
}

const highest = (victims: readonly Pod[]): number => Math.max(...victims.map(podPriority));

/** Topology spread constraints, parsed: a Pod's own, or the ones that hold for Pods that bring none. */
import type { Node, Pod, TopologySpreadConstraint } from '../api/generated/core-v1.ts';
import { LabelMatcher, labelMatcher } from '../apimachinery/labels.ts';
import { requiredNodeMatcher } from '../apimachinery/node-selector.ts';
import { untolerated } from '../apimachinery/taints.ts';
import type { NodeInfo } from './node-info.ts';

export const HOSTNAME = 'kubernetes.io/hostname';

export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelMatcher;
  /** Whether Pods on `node` count. */
  includes(node: Node): boolean;
}

/** Upstream's defaults for Pods that bring no constraints: spread over nodes, and more loosely over zones. */
const DEFAULTS: readonly TopologySpreadConstraint[] = [
  { maxSkew: 3, topologyKey: HOSTNAME, whenUnsatisfiable: 'ScheduleAnyway' },
  { maxSkew: 5, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
];

/** The constraints of `pod` with this `whenUnsatisfiable`. Throws an Error when a selector is malformed. */
export function ownConstraints(pod: Pod, whenUnsatisfiable: string): SpreadConstraint[] {
  const chosen = (pod.spec.topologySpreadConstraints ?? []).filter(
    (constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable,
  );
  return chosen.map((constraint) => parse(constraint, pod, selectorOf(constraint, pod)));
}

/** The default constraints; `selector` is that of the Services and the controller of the Pod. */
export function defaultConstraints(pod: Pod, selector: LabelMatcher): SpreadConstraint[] {
  return selector.isEverything || selector.isNothing
    ? []
    : DEFAULTS.map((constraint) => parse(constraint, pod, selector));
}

function selectorOf({ labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint, pod: Pod): LabelMatcher {
  const matcher = labelMatcher(labelSelector);
  const { labels = {} } = pod.metadata;
  const keys = matchLabelKeys.filter((key) => labels[key] !== undefined);
  if (keys.length === 0 || matcher.isNothing) return matcher;
  const more = keys.map((key) => ({ key, operator: 'in' as const, values: [labels[key] ?? ''] }));
  return new LabelMatcher([...matcher.requirements, ...more]);
}

function parse(constraint: TopologySpreadConstraint, pod: Pod, selector: LabelMatcher): SpreadConstraint {
  const matchesAffinity = requiredNodeMatcher(pod);
  const honorAffinity = (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor';
  const honorTaints = constraint.nodeTaintsPolicy === 'Honor';
  return {
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    selector,
    includes: (node) =>
      (!honorAffinity || matchesAffinity(node)) &&
      (!honorTaints || untolerated(node.spec.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']) === undefined),
  };
}

/** Whether `node` is in a place for each of the constraints. */
export const hasAllKeys = (node: Node, constraints: readonly SpreadConstraint[]): boolean =>
  constraints.every(({ topologyKey }) => node.metadata.labels?.[topologyKey] !== undefined);

/** Whether `other` counts for a constraint of a Pod in `namespace`; one that is going does not. */
export const counts = (other: Pod, selector: LabelMatcher, namespace: string | undefined): boolean =>
  other.metadata.namespace === namespace &&
  other.metadata.deletionTimestamp === undefined &&
  selector.matches(other.metadata.labels);

/** How many Pods on `node` a constraint is about; an empty selector is about none. */
export function countMatching(node: NodeInfo, selector: LabelMatcher, namespace: string | undefined): number {
  if (selector.isEverything || selector.isNothing) return 0;
  let count = 0;
  for (const other of node.pods()) if (counts(other, selector, namespace)) count++;
  return count;
}

import type { Pod, PodAffinityTerm } from '../../api/generated/core-v1.ts';
import type { LabelSelector } from '../../api/generated/meta-v1.ts';

/**
 * Turns matchLabelKeys and mismatchLabelKeys into requirements of their selectors, with the values that the Pod has, in
 * place (upstream's applyMatchLabelKeysAndMismatchLabelKeys): schedulers need not know these fields.
 */
export function mergeLabelKeys({ metadata: { labels = {} }, spec }: Pod): void {
  const merge = (selector: LabelSelector | null | undefined, operator: string, keys: readonly string[] = []): void => {
    if (selector === undefined || selector === null) return;
    const known = keys.filter((key) => labels[key] !== undefined);
    if (known.length === 0) return;
    const more = known.map((key) => ({ key, operator, values: [labels[key] ?? ''] }));
    selector.matchExpressions = [...(selector.matchExpressions ?? []), ...more];
  };
  const mergeTerm = ({ labelSelector, matchLabelKeys, mismatchLabelKeys }: PodAffinityTerm): void => {
    merge(labelSelector, 'In', matchLabelKeys);
    merge(labelSelector, 'NotIn', mismatchLabelKeys);
  };
  for (const affinity of [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity]) {
    affinity?.requiredDuringSchedulingIgnoredDuringExecution?.forEach(mergeTerm);
    for (const { podAffinityTerm } of affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      mergeTerm(podAffinityTerm);
    }
  }
  for (const { labelSelector, matchLabelKeys } of spec.topologySpreadConstraints ?? []) {
    merge(labelSelector, 'In', matchLabelKeys);
  }
}

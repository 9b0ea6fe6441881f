/** Which objects a ResourceQuota with scopes counts. */
import type { Pod, ResourceQuota, ScopedResourceSelectorRequirement } from '../../api/generated/core-v1.ts';
import { pods } from '../../api/resources.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { qosClass } from '../../apimachinery/qos.ts';

/** Whether `object` falls under all scopes of `quota`; only Pods fall under any. */
export function isInScope({ spec }: ResourceQuota, type: ResourceType, object: KubeObject): boolean {
  const requirements: ScopedResourceSelectorRequirement[] = [
    ...(spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(spec.scopeSelector?.matchExpressions ?? []),
  ];
  if (requirements.length === 0) return true;
  if (type.group !== '' || type.resource !== pods.resource) return false;
  return requirements.every((requirement) => podMeets(object as Pod, requirement));
}

function podMeets(pod: Pod, { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement): boolean {
  const ends = pod.spec.activeDeadlineSeconds !== undefined;
  switch (scopeName) {
    case 'Terminating':
      return ends;
    case 'NotTerminating':
      return !ends;
    case 'BestEffort':
      return qosClass(pod) === 'BestEffort';
    case 'NotBestEffort':
      return qosClass(pod) !== 'BestEffort';
    case 'PriorityClass':
      return meetsName(pod.spec.priorityClassName, operator, values);
    case 'CrossNamespacePodAffinity':
      return looksAbroad(pod);
    default:
      return false;
  }
}

function meetsName(name: string | undefined, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'Exists':
      return Boolean(name);
    case 'DoesNotExist':
      return !name;
    case 'In':
      return Boolean(name) && values.includes(name ?? '');
    case 'NotIn':
      return !values.includes(name ?? '');
    default:
      return false;
  }
}

/** Whether the Pod's affinity looks at Pods of other namespaces. */
function looksAbroad({ spec }: Pod): boolean {
  const terms = [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
  ]);
  return terms.some(
    (term) =>
      (term.namespaces ?? []).length > 0 || (term.namespaceSelector !== undefined && term.namespaceSelector !== null),
  );
}

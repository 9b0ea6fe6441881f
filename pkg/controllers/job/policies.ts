/** A Job's own rules: which failures end it, count or do not (podFailurePolicy), and what is success enough. */
import type { Job, PodFailurePolicyOnExitCodesRequirement } from '../../api/generated/batch-v1.ts';
import type { ContainerStatus, Pod } from '../../api/generated/core-v1.ts';
import { IndexSet } from './indexes.ts';

export interface FailureMatch {
  /** FailJob, FailIndex, Ignore, Count; undefined when no rule matches. */
  readonly action: string | undefined;
  /** Whether the failure counts towards backoffLimit. */
  readonly counts: boolean;
  /** Why, for FailJob. */
  readonly message: string;
}

const NO_MATCH: FailureMatch = { action: undefined, counts: true, message: '' };

/** The first rule of the Job's podFailurePolicy that is met by `pod`, which has failed. */
export function matchFailurePolicy({ spec }: Job, pod: Pod): FailureMatch {
  for (const [index, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const { name, namespace } = pod.metadata;
    const tail = `matching ${rule.action} rule at index ${index}`;
    const found = (message: string): FailureMatch => ({
      action: rule.action,
      counts: rule.action !== 'Ignore',
      message,
    });
    if (rule.onExitCodes !== undefined) {
      const container = failedContainer(pod, rule.onExitCodes);
      if (container === undefined) continue;
      const code = container.state?.terminated?.exitCode;
      return found(`Container ${container.name} for pod ${namespace}/${name} failed with exit code ${code} ${tail}`);
    }
    const condition = (pod.status.conditions ?? []).find(({ type, status }) =>
      (rule.onPodConditions ?? []).some((pattern) => pattern.type === type && (pattern.status || 'True') === status),
    );
    if (condition !== undefined) return found(`Pod ${namespace}/${name} has condition ${condition.type} ${tail}`);
  }
  return NO_MATCH;
}

function failedContainer(
  { status }: Pod,
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
): ContainerStatus | undefined {
  return [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])].find(({ name, state }) => {
    const code = state?.terminated?.exitCode;
    if (code === undefined || code === 0 || (containerName && containerName !== name)) return false;
    return values.includes(code) === (operator === 'In');
  });
}

/** The message of the first rule of the Job's successPolicy that `succeeded` meets, if one does. */
export function matchSuccessPolicy({ spec }: Job, succeeded: IndexSet): string | undefined {
  const rules = spec.successPolicy?.rules ?? [];
  const index = rules.findIndex((rule) => {
    if (rule.succeededIndexes === undefined) return succeeded.size >= (rule.succeededCount ?? Number.POSITIVE_INFINITY);
    const wanted = IndexSet.parse(rule.succeededIndexes, spec.completions ?? 0);
    return succeeded.countCommon(wanted) >= (rule.succeededCount ?? wanted.size);
  });
  return index < 0 ? undefined : `Matched rules at index ${index}`;
}

import { schemaOf } from '../../api/facts.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { Eviction, PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import { podDisruptionBudgets, pods } from '../../api/resources.ts';
import { labelMatcher } from '../../apimachinery/labels.ts';
import { isConditionTrue, setCondition } from '../../apimachinery/object-meta.ts';
import { isStatusReason, statusErrors } from '../../apimachinery/status-error.ts';
import type { ActionCall, ActionSubresource } from '../descriptor.ts';
import { withDisruptionAllowed } from '../policy/disruption-allowed.ts';

const REFUSAL = "Cannot evict pod as it would violate the pod's disruption budget.";
/** More evictions than these wait for the disruption controller's confirmation at no time. */
const MOST_DISRUPTED = 2000;
const RETRY_SECONDS = 10;

const SUCCESS = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

/** Upstream's EvictionREST: deletes a Pod if its disruption budget has room, 429 TooManyRequests if not. */
export const eviction: ActionSubresource = {
  type: 'action',
  verbs: ['create'],
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  schema: schemaOf('policy.v1.Eviction'),
  olderVersions: ['v1beta1'],
  async run(call) {
    const { name, namespace, registry, now, dryRun } = call;
    const body = call.body as unknown as Eviction;
    if (body.metadata?.name !== name) {
      throw statusErrors.badRequest('name in URL does not match name in Eviction object');
    }
    const pod = registry.get(pods, name, namespace);
    if (pod === undefined) throw statusErrors.notFound(pods, name);
    if (isGuarded(pod)) {
      const budget = budgetOf(pod, registry.list(podDisruptionBudgets, namespace));
      if (budget !== undefined && !mayIgnore(budget, pod)) {
        if (dryRun) takeFrom(structuredClone(budget), name, now);
        else {
          const take = (draft: PodDisruptionBudget): void => takeFrom(draft, name, now);
          const options = { subresource: 'status' };
          await registry.mutate(podDisruptionBudgets, budget.metadata.name, namespace, take, options);
        }
      }
    }
    await remove(call, body);
    return SUCCESS;
  },
};

/** A Pod that does not run, or goes anyway, is no loss. */
function isGuarded({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status.phase === 'Running';
}

function budgetOf(pod: Pod, budgets: readonly PodDisruptionBudget[]): PodDisruptionBudget | undefined {
  const guarding = budgets.filter(
    ({ spec }) => spec.selector !== undefined && labelMatcher(spec.selector).matches(pod.metadata.labels),
  );
  if (guarding.length > 1) {
    const text = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw statusErrors.custom(500, '', text);
  }
  return guarding[0];
}

/** Whether the Pod, which is not ready, may go without being counted (unhealthyPodEvictionPolicy). */
function mayIgnore({ spec, status }: PodDisruptionBudget, pod: Pod): boolean {
  if (isConditionTrue(pod.status.conditions, 'Ready')) return false;
  if (spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  return status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0;
}

/** Takes one disruption from `budget`, in place. Throws TooManyRequests when there is none to take. */
function takeFrom(budget: PodDisruptionBudget, podName: string, now: string): void {
  const { metadata, status } = budget;
  const refuse = (message: string, seconds: number): Error =>
    statusErrors.tooManyRequests(REFUSAL, seconds, [{ reason: 'DisruptionBudget', message }]);
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    throw refuse(`The disruption budget ${metadata.name} is still being processed by the server.`, RETRY_SECONDS);
  }
  if (status.disruptionsAllowed < 0) {
    throw statusErrors.forbidden(podDisruptionBudgets, metadata.name, 'pdb disruptions allowed is negative');
  }
  if (Object.keys(status.disruptedPods ?? {}).length > MOST_DISRUPTED) {
    const text = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    throw statusErrors.forbidden(podDisruptionBudgets, metadata.name, text);
  }
  if (status.disruptionsAllowed === 0) {
    const { desiredHealthy, currentHealthy } = status;
    const has = `needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
    throw refuse(`The disruption budget ${metadata.name} ${has}`, 0);
  }
  status.disruptionsAllowed--;
  status.disruptedPods = { ...status.disruptedPods, [podName]: now };
  if (status.disruptionsAllowed === 0) budget.status = withDisruptionAllowed(status, metadata.generation, now);
}

/** Marks the Pod as disrupted, so that a Job's policy can tell, and deletes it. */
async function remove({ name, namespace, registry, now, dryRun }: ActionCall, body: Eviction): Promise<void> {
  const { dryRun: _, apiVersion: __, kind: ___, ...options } = body.deleteOptions ?? {};
  const mark = (pod: Pod): void => {
    const { uid } = options.preconditions ?? {};
    if (uid !== undefined && uid !== pod.metadata.uid) {
      const text = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`;
      throw statusErrors.conflict(pods, name, text);
    }
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
      lastProbeTime: null,
    };
    pod.status.conditions = [...setCondition(pod.status.conditions, condition, now)];
  };
  // A named version could not survive the mark.
  if (!dryRun && options.preconditions?.resourceVersion === undefined) {
    await registry.mutate(pods, name, namespace, mark, { subresource: 'status' });
  }
  try {
    await registry.remove(pods, name, namespace, { ...(options as Record<string, never>), dryRun });
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
  }
}

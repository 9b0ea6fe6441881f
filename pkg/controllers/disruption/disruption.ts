/** Upstream's disruption-controller: keeps the status of PodDisruptionBudgets, which evictions are judged by. */

import type { Pod } from '../../api/generated/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/generated/policy-v1.ts';
import { deployments, podDisruptionBudgets, pods, replicaSets, statefulSets } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { formatLabelSelector, labelMatcher, noLabel } from '../../apimachinery/labels.ts';
import { objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import type { InformerEvent } from '../../client/informer.ts';
import { type ControllerContext, createController, type KeyQueue, watch, watchOwn } from '../controller.ts';
import { scaleReader } from './expected-scale.ts';
import { failSafe, planBudget } from './plan.ts';

const WORKERS = 1;

export function createDisruptionController(context: ControllerContext): Component {
  const { client, clock, recorder } = context;
  const budgetInformer = client.informer(podDisruptionBudgets);
  const podInformer = client.informer(pods);
  const readScale = scaleReader(client);

  const matcherOf = ({ spec }: PodDisruptionBudget) =>
    spec.selector === undefined ? noLabel : labelMatcher(spec.selector);

  function onPod(event: InformerEvent<Pod>, queue: KeyQueue): void {
    const versions = event.type === 'modified' ? [event.old, event.object] : [event.object];
    for (const budget of budgetInformer.list(event.object.metadata.namespace)) {
      const selector = matcherOf(budget);
      if (versions.some(({ metadata }) => selector.matches(metadata.labels))) queue.add(objectKey(budget));
    }
  }

  /** A changed scale concerns the budgets of the namespace that are a share of it. */
  function onScaled(
    event: InformerEvent<KubeObject & { spec: { replicas?: number | undefined } }>,
    queue: KeyQueue,
  ): void {
    if (event.type === 'modified' && event.old.spec.replicas === event.object.spec.replicas) return;
    for (const budget of budgetInformer.list(event.object.metadata.namespace)) {
      if (typeof budget.spec.minAvailable !== 'number') queue.add(objectKey(budget));
    }
  }

  async function writeStatus(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> {
    if (deepEqual(status, budget.status)) return;
    await client.update(podDisruptionBudgets, { ...budget, status }, { subresource: 'status' });
  }

  function expectedScale(budget: PodDisruptionBudget, guarded: readonly Pod[]): number {
    const { scale, unmanaged } = readScale(guarded);
    if (unmanaged.length > 0) {
      const selector = formatLabelSelector(budget.spec.selector);
      const text = `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
      recorder.event(referenceTo(podDisruptionBudgets, budget), 'Warning', 'UnmanagedPods', text);
    }
    return scale;
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const budget = budgetInformer.get(name, namespace);
    if (budget === undefined) return undefined;
    const about = referenceTo(podDisruptionBudgets, budget);
    const selector = matcherOf(budget);
    const guarded = podInformer.list(namespace).filter(({ metadata }) => selector.matches(metadata.labels));
    if (guarded.length === 0) recorder.event(about, 'Normal', 'NoPods', 'No matching pods found');
    const view = { budget, pods: guarded, expectedScale: () => expectedScale(budget, guarded) };
    let plan: ReturnType<typeof planBudget>;
    try {
      plan = planBudget(view, clock.now());
    } catch (error) {
      const why = errorText(error);
      const message = `Failed to calculate the number of expected pods: ${why}`;
      recorder.event(about, 'Warning', 'CalculateExpectedPodCountFailed', message);
      await writeStatus(budget, failSafe(budget, why, clock.now()));
      return undefined;
    }
    for (const pod of plan.notDeleted) {
      const message = `Pod was expected by PDB ${namespace}/${name} to be deleted but it wasn't`;
      recorder.event(referenceTo(pods, pod), 'Warning', 'NotDeleted', message);
    }
    try {
      await writeStatus(budget, plan.status);
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
    return plan.again;
  }

  return createController(
    {
      name: 'disruption-controller',
      workers: WORKERS,
      watches: [
        watchOwn(budgetInformer),
        watch(podInformer, onPod),
        watch(client.informer(deployments), onScaled),
        watch(client.informer(replicaSets), onScaled),
        watch(client.informer(statefulSets), onScaled),
      ],
      reconcile,
    },
    context,
  );
}

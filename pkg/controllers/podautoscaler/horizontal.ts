/** Upstream's horizontal-pod-autoscaling controller: sets the scale of workloads by what their Pods use. */

import type { Scale } from '../../api/generated/autoscaling-v1.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
  MetricStatus,
} from '../../api/generated/autoscaling-v2.ts';
import { horizontalPodAutoscalers, pods } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { parseLabelSelector } from '../../apimachinery/label-parser.ts';
import type { LabelMatcher } from '../../apimachinery/labels.ts';
import { objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import type { ScaleAccess } from '../../client/scale.ts';
import { type ControllerContext, createController, watch } from '../controller.ts';
import { NO_HISTORY, normalizeReplicas, recordScaling, type ScalingHistory } from './behavior.ts';
import { Conditions } from './conditions.ts';
import { MetricError, type MetricProposal, proposeFor } from './metric-proposals.ts';

/** --concurrent-horizontal-pod-autoscaler-syncs and --horizontal-pod-autoscaler-sync-period. */
const WORKERS = 5;
const SYNC_MS = 15_000;

interface Round {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly key: string;
  readonly scale: Scale;
  readonly conditions: Conditions;
}

interface Wanted {
  readonly replicas: number;
  readonly metric: string;
  readonly statuses: MetricStatus[];
}

/** Nothing can be said of how many there should be; told already, with what is known of the metrics. */
class NoProposal extends Error {
  readonly statuses: MetricStatus[];

  constructor(message: string, statuses: MetricStatus[]) {
    super(message);
    this.statuses = statuses;
  }
}

/** `scales` has to act with the rights of the controller. */
export function createHorizontalPodAutoscalerController(context: ControllerContext, scales: ScaleAccess): Component {
  const { client, clock, recorder } = context;
  const autoscalers = client.informer(horizontalPodAutoscalers);
  const podInformer = client.informer(pods);
  const histories = new Map<string, ScalingHistory>();
  /** What each autoscaler's target selects: two must not pull at the same Pods. */
  const selectors = new Map<string, LabelMatcher>();

  const tell = (autoscaler: HorizontalPodAutoscaler, type: 'Normal' | 'Warning', reason: string, text: string): void =>
    recorder.event(referenceTo(horizontalPodAutoscalers, autoscaler), type, reason, text);

  async function writeStatus(
    { autoscaler, conditions }: Pick<Round, 'autoscaler' | 'conditions'>,
    changes: Partial<HorizontalPodAutoscalerStatus>,
  ): Promise<void> {
    const status = { ...autoscaler.status, ...changes, conditions: conditions.list };
    if (deepEqual(status, autoscaler.status)) return;
    await client.update(horizontalPodAutoscalers, { ...autoscaler, status }, { subresource: 'status' });
  }

  async function readScale(autoscaler: HorizontalPodAutoscaler, conditions: Conditions): Promise<Scale> {
    const { kind, name, apiVersion = '' } = autoscaler.spec.scaleTargetRef;
    try {
      const scale = await scales.get({ apiVersion, kind, name, namespace: autoscaler.metadata.namespace ?? '' });
      conditions.set(
        'AbleToScale',
        true,
        'SucceededGetScale',
        "the HPA controller was able to get the target's current scale",
      );
      return scale;
    } catch (error) {
      const why = errorText(error);
      tell(autoscaler, 'Warning', 'FailedGetScale', why);
      const text = `the HPA controller was unable to get the target's current scale: ${why}`;
      conditions.set('AbleToScale', false, 'FailedGetScale', text);
      await writeStatus({ autoscaler, conditions }, {});
      throw error;
    }
  }

  /** The Pods of the target. Throws NoProposal when its selector is of no use. */
  function selectPods({ autoscaler, key, scale, conditions }: Round) {
    const refuse = (reason: string, text: string, told = text): NoProposal => {
      tell(
        autoscaler,
        'Warning',
        reason === 'InvalidSelector' && text === 'selector is required' ? 'SelectorRequired' : reason,
        text,
      );
      conditions.set('ScalingActive', false, reason, told);
      return new NoProposal(text, []);
    };
    const { selector: text = '' } = scale.status;
    if (text === '')
      throw refuse('InvalidSelector', 'selector is required', "the HPA target's scale is missing a selector");
    let matcher: LabelMatcher;
    try {
      matcher = parseLabelSelector(text);
    } catch (error) {
      throw refuse(
        'InvalidSelector',
        `couldn't convert selector into a corresponding internal selector object: ${errorText(error)}`,
      );
    }
    selectors.set(key, matcher);
    const { namespace } = autoscaler.metadata;
    const selected = podInformer.list(namespace).filter(({ metadata }) => matcher.matches(metadata.labels));
    const rivals = [...selectors].filter(
      ([other, theirs]) =>
        splitKey(other).namespace === namespace && selected.some(({ metadata }) => theirs.matches(metadata.labels)),
    );
    if (rivals.length > 1) {
      const names = rivals.map(([other]) => other).sort();
      throw refuse(
        'AmbiguousSelector',
        `pods by selector ${text} are controlled by multiple HPAs: [${names.join(' ')}]`,
      );
    }
    return { selector: text, selected };
  }

  /** What the metrics ask for together: the most any of them does. Throws NoProposal. */
  async function askMetrics(round: Round): Promise<Wanted> {
    const { autoscaler, scale, conditions } = round;
    const { spec, metadata } = autoscaler;
    const metrics = spec.metrics ?? [];
    const { selector, selected } = selectPods(round);
    const currentReplicas = scale.spec.replicas ?? 0;
    let best: MetricProposal | undefined;
    let failed: MetricError | undefined;
    let failures = 0;
    const statuses: MetricStatus[] = [];
    for (const metric of metrics) {
      try {
        const proposal = await proposeFor(metric, {
          client,
          namespace: metadata.namespace ?? '',
          selector,
          pods: selected,
          currentReplicas,
          spec,
          now: clock.now(),
        });
        statuses.push(proposal.status);
        if (best === undefined || proposal.replicas > best.replicas) best = proposal;
      } catch (error) {
        if (!(error instanceof MetricError)) throw error;
        tell(autoscaler, 'Warning', error.reason, error.message);
        failed ??= error;
        failures++;
        statuses.push({ type: '' });
      }
    }
    // With a part of the metrics it is safe to grow, but not to shrink.
    if (failed !== undefined && (best === undefined || best.replicas < currentReplicas)) {
      const text = `the HPA was unable to compute the replica count: ${failed.message}`;
      conditions.set('ScalingActive', false, failed.reason, text);
      throw new NoProposal(
        `invalid metrics (${failures} invalid out of ${metrics.length}), first error is: ${failed.summary}`,
        statuses,
      );
    }
    const name = best?.name ?? '';
    const text = `the HPA was able to successfully calculate a replica count from ${name}`;
    conditions.set('ScalingActive', true, 'ValidMetricFound', text);
    return { replicas: best?.replicas ?? 0, metric: name, statuses };
  }

  /** The size by metrics, windows and policies, and why. */
  async function decide(round: Round): Promise<{ desired: number; why: string; statuses: MetricStatus[] }> {
    const { autoscaler, key, conditions, scale } = round;
    const { spec } = autoscaler;
    const current = scale.spec.replicas ?? 0;
    const { replicas: wanted, metric, statuses } = await askMetrics(round);
    const history = histories.get(key) ?? NO_HISTORY;
    const normal = normalizeReplicas({ spec, current, wanted, history, now: clock.now() });
    histories.set(key, { ...history, recommendations: normal.recommendations });
    const ready = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
    const { reason, message } = normal.stabilized ?? ready;
    conditions.set('AbleToScale', true, reason, message);
    conditions.set('ScalingLimited', normal.limited, normal.limit.reason, normal.limit.message);
    const why = wanted > current ? `${metric} above target` : 'All metrics below target';
    return { desired: normal.replicas, why, statuses };
  }

  async function rescale(round: Round, desired: number, why: string): Promise<void> {
    const { autoscaler, key, scale, conditions } = round;
    const current = scale.spec.replicas ?? 0;
    const { kind, apiVersion = '' } = autoscaler.spec.scaleTargetRef;
    try {
      await scales.update({ apiVersion, kind }, { ...scale, spec: { ...scale.spec, replicas: desired } });
    } catch (error) {
      const text = errorText(error);
      tell(autoscaler, 'Warning', 'FailedRescale', `New size: ${desired}; reason: ${why}; error: ${text}`);
      conditions.set(
        'AbleToScale',
        false,
        'FailedUpdateScale',
        `the HPA controller was unable to update the target scale: ${text}`,
      );
      await writeStatus(round, { currentReplicas: current });
      throw error;
    }
    conditions.set(
      'AbleToScale',
      true,
      'SucceededRescale',
      `the HPA controller was able to update the target scale to ${desired}`,
    );
    tell(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${why}`);
    const history = histories.get(key) ?? NO_HISTORY;
    histories.set(key, recordScaling(history, autoscaler.spec, current, desired, clock.now()));
  }

  async function work(autoscaler: HorizontalPodAutoscaler, key: string): Promise<void> {
    const { spec, status } = autoscaler;
    const conditions = new Conditions(status.conditions, formatTime(clock.now()));
    const scale = await readScale(autoscaler, conditions);
    const round: Round = { autoscaler, key, scale, conditions };
    const current = scale.spec.replicas ?? 0;
    const least = spec.minReplicas ?? 1;
    if (!histories.has(key)) {
      histories.set(key, { ...NO_HISTORY, recommendations: [{ at: clock.now(), replicas: current }] });
    }
    let desired = current;
    let why = '';
    let statuses = status.currentMetrics ?? [];
    if (current === 0 && least !== 0) {
      const text = 'scaling is disabled since the replica count of the target is zero';
      conditions.set('ScalingActive', false, 'ScalingDisabled', text);
    } else if (current > spec.maxReplicas) {
      [desired, why] = [spec.maxReplicas, 'Current number of replicas above Spec.MaxReplicas'];
    } else if (current < least) {
      [desired, why] = [least, 'Current number of replicas below Spec.MinReplicas'];
    } else {
      try {
        ({ desired, why, statuses } = await decide(round));
      } catch (error) {
        if (!(error instanceof NoProposal)) throw error;
        await writeStatus(round, { currentReplicas: current, currentMetrics: error.statuses });
        tell(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', error.message);
        return;
      }
    }
    if (desired !== current) await rescale(round, desired, why);
    await writeStatus(round, {
      currentReplicas: current,
      desiredReplicas: desired,
      currentMetrics: statuses,
      ...(desired === current ? {} : { lastScaleTime: formatTime(clock.now()) }),
    });
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const autoscaler = autoscalers.get(name, namespace);
    if (autoscaler === undefined) {
      histories.delete(key);
      selectors.delete(key);
      return undefined;
    }
    try {
      await work(autoscaler, key);
    } catch (error) {
      // Told in events and conditions; the next round is soon enough.
      context.log.debug('autoscaler not served', { key, error: errorText(error) });
    }
    return SYNC_MS;
  }

  return createController(
    {
      name: 'horizontal-pod-autoscaling-controller',
      workers: WORKERS,
      watches: [
        watch(autoscalers, (event, queue) => {
          if (event.type === 'modified' && deepEqual(event.old.spec, event.object.spec)) return;
          queue.add(objectKey(event.object));
        }),
      ],
      reconcile,
    },
    context,
  );
}

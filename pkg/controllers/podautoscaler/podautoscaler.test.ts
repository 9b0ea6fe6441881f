import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HorizontalPodAutoscalerSpec, HPAScalingRules } from '../../api/generated/autoscaling-v2.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { NO_HISTORY, normalizeReplicas, recordScaling, type ScalingHistory } from './behavior.ts';
import { groupPods, type PodMetric, podRequests } from './pod-metrics.ts';
import { type CalculationInput, replicasForAverage, replicasForUtilization } from './replica-calculator.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const MINUTE = 60_000;

interface PodFacts {
  readonly phase?: string;
  readonly ready?: boolean;
  /** Minutes ago. */
  readonly started?: number;
  readonly changed?: number;
  readonly deleted?: boolean;
}

function pod(name: string, facts: PodFacts = {}): Pod {
  const { phase = 'Running', ready = true, started = 60, changed = started } = facts;
  const condition = {
    type: 'Ready',
    status: ready ? 'True' : 'False',
    lastProbeTime: null,
    lastTransitionTime: formatTime(NOW - changed * MINUTE),
  };
  return {
    metadata: {
      name,
      namespace: 'n',
      uid: name,
      resourceVersion: '1',
      creationTimestamp: formatTime(NOW),
      ...(facts.deleted ? { deletionTimestamp: formatTime(NOW) } : {}),
    },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }] },
    status: { phase, startTime: formatTime(NOW - started * MINUTE), conditions: [condition] },
  } as Pod;
}

const metric = (value: number, at = NOW): PodMetric => ({ value, at, windowMs: 15_000 });

function input(pods: readonly Pod[], used: Record<string, number>, currentReplicas = pods.length): CalculationInput {
  return {
    currentReplicas,
    pods,
    metrics: new Map(Object.entries(used).map(([name, value]) => [name, metric(value)])),
    resource: 'cpu',
    tolerances: { up: 0.1, down: 0.1 },
    now: NOW,
  };
}

describe('whose numbers count', () => {
  const metrics = new Map(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => [name, metric(1)]));

  test('Pods are told apart', () => {
    const pods = [
      pod('a'),
      pod('b', { phase: 'Pending' }),
      pod('c', { deleted: true }),
      pod('d', { phase: 'Failed' }),
      pod('e', { ready: false, started: 60, changed: 60 }),
      pod('f', { ready: false, started: 60, changed: 10 }),
      pod('g', { started: 1, changed: 0 }),
      pod('h'),
    ];
    const groups = groupPods(pods, metrics, 'cpu', NOW);
    assert.equal(groups.readyCount, 2, 'a, and f which has been ready before');
    assert.deepEqual([...groups.unready], ['b', 'e', 'g']);
    assert.deepEqual([...groups.missing], ['h']);
    assert.deepEqual([...groups.ignored], ['c', 'd']);
  });

  test('memory counts from the start', () => {
    assert.equal(groupPods([pod('g', { started: 1, changed: 0, ready: false })], metrics, 'memory', NOW).readyCount, 1);
  });

  test('every container has to request what it is measured by', () => {
    const bare = pod('a');
    bare.spec.containers.push({ name: 'side', resources: {} });
    assert.throws(() => podRequests([bare], 'cpu', undefined), {
      message: 'missing request for cpu in container side of Pod a',
    });
    assert.deepEqual([...podRequests([bare], 'cpu', 'c')], [['a', 1000]]);
  });
});

describe('what a metric asks for', () => {
  const three = [pod('a'), pod('b'), pod('c')];

  test('as many as bring the use to the target', () => {
    const proposal = replicasForUtilization(input(three, { a: 300, b: 500, c: 700 }), 30);
    assert.deepEqual(proposal, { replicas: 5, utilization: 50, average: 500 });
    assert.equal(replicasForUtilization(input(three, { a: 100, b: 100, c: 100 }), 50).replicas, 1);
    assert.equal(replicasForAverage(input(three, { a: 300, b: 500, c: 700 }), 250).replicas, 6);
  });

  test('small differences are tolerated', () => {
    assert.equal(replicasForUtilization(input(three, { a: 540, b: 540, c: 540 }), 50).replicas, 3);
    assert.equal(replicasForUtilization(input(three, { a: 560, b: 560, c: 560 }), 50).replicas, 4);
    const lenient = { ...input(three, { a: 560, b: 560, c: 560 }), tolerances: { up: 0.2, down: 0.1 } };
    assert.equal(replicasForUtilization(lenient, 50).replicas, 3);
  });

  test('missing Pods damp both ways', () => {
    // 150 % of the target, but over three Pods only 100 %.
    assert.equal(replicasForUtilization(input(three, { a: 750, b: 750 }), 50).replicas, 3);
    // Half of the target; the missing one is taken to use its whole request.
    assert.equal(replicasForUtilization(input(three, { a: 250, b: 250 }), 50).replicas, 3);
    assert.equal(replicasForUtilization(input(three, { a: 1000, b: 1000 }), 20).replicas, 10);
  });

  test('Pods that are starting damp scaling up', () => {
    const pods = [pod('a'), pod('b'), pod('c', { phase: 'Pending' })];
    assert.equal(replicasForUtilization(input(pods, { a: 1000, b: 1000 }), 25).replicas, 8);
    assert.equal(replicasForUtilization(input(pods, { a: 100, b: 100 }), 50).replicas, 1);
  });

  test('nothing to go by', () => {
    assert.throws(() => replicasForUtilization(input([], { a: 1 }), 50), /^Error: no pods returned by selector/);
    assert.throws(
      () => replicasForUtilization(input([pod('a', { phase: 'Pending' })], {}), 50),
      /^Error: did not receive metrics for targeted pods \(pods might be unready\)/,
    );
    assert.throws(
      () => replicasForUtilization(input([pod('a')], { other: 5 }), 50),
      /^Error: no metrics returned matched known pods/,
    );
  });
});

describe('limits, windows and policies', () => {
  const base = { scaleTargetRef: { kind: 'Deployment', name: 'd' }, minReplicas: 1, maxReplicas: 100 };
  const rules = (scaleUp: HPAScalingRules, scaleDown: HPAScalingRules): HorizontalPodAutoscalerSpec => ({
    ...base,
    behavior: { scaleUp, scaleDown },
  });
  const go = (
    spec: HorizontalPodAutoscalerSpec,
    current: number,
    wanted: number,
    history: ScalingHistory = NO_HISTORY,
    now = NOW,
  ) => normalizeReplicas({ spec, current, wanted, history, now });

  test('without rules: at most twice as many, four from the start, down after five minutes', () => {
    assert.deepEqual(
      [go(base, 1, 10).replicas, go(base, 10, 50).replicas, go({ ...base, maxReplicas: 12 }, 10, 50).replicas],
      [4, 20, 12],
    );
    assert.equal(go(base, 10, 50).limit.reason, 'ScaleUpLimit');
    assert.equal(go({ ...base, maxReplicas: 12 }, 10, 50).limit.reason, 'TooManyReplicas');
    assert.equal(go({ ...base, minReplicas: 3 }, 10, 1).replicas, 3);
    const history = { ...NO_HISTORY, recommendations: [{ at: NOW - 4 * MINUTE, replicas: 8 }] };
    const held = go(base, 10, 2, history);
    assert.deepEqual([held.replicas, held.stabilized?.reason], [8, 'ScaleDownStabilized']);
    assert.equal(go(base, 10, 2, history, NOW + 2 * MINUTE).replicas, 2);
  });

  test('what is wanted within range is done', () => {
    const normal = go(base, 3, 5);
    assert.deepEqual(
      [normal.replicas, normal.stabilized, normal.limited, normal.limit.reason],
      [5, undefined, false, 'DesiredWithinRange'],
    );
    assert.deepEqual(normal.recommendations, [{ at: NOW, replicas: 5 }]);
  });

  test('windows in both directions', () => {
    const spec = rules(
      { stabilizationWindowSeconds: 60, policies: [{ type: 'Percent', value: 1000, periodSeconds: 15 }] },
      { stabilizationWindowSeconds: 120, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
    );
    const at = (seconds: number, replicas: number) => ({
      ...NO_HISTORY,
      recommendations: [{ at: NOW - seconds * 1000, replicas }],
    });
    const up = go(spec, 3, 9, at(30, 4));
    assert.deepEqual([up.replicas, up.stabilized?.reason], [4, 'ScaleUpStabilized']);
    assert.equal(go(spec, 3, 9, at(90, 4)).replicas, 9);
    assert.equal(go(spec, 9, 3, at(90, 5)).replicas, 5);
    assert.equal(go(spec, 9, 3, at(150, 5)).replicas, 3);
  });

  test('policies look at what has happened in their period', () => {
    const pods = (value: number): HPAScalingRules['policies'] => [{ type: 'Pods', value, periodSeconds: 60 }];
    const both: HPAScalingRules['policies'] = [
      { type: 'Pods', value: 2, periodSeconds: 60 },
      { type: 'Percent', value: 50, periodSeconds: 60 },
    ];
    const down = { stabilizationWindowSeconds: 0 };
    const spec = rules({ policies: pods(4) }, { ...down, policies: pods(2) });
    assert.deepEqual([go(spec, 10, 30).replicas, go(spec, 10, 1).replicas], [14, 8]);
    const history = recordScaling(NO_HISTORY, spec, 7, 10, NOW - 30_000);
    assert.equal(go(spec, 10, 30, history).replicas, 11, 'three of four are used up');
    assert.equal(go(spec, 10, 30, history, NOW + 40_000).replicas, 14);
    const most = rules({ policies: both }, { ...down, policies: both });
    const least = rules({ policies: both, selectPolicy: 'Min' }, { ...down, policies: both, selectPolicy: 'Min' });
    assert.deepEqual([go(most, 10, 30).replicas, go(least, 10, 30).replicas], [15, 12]);
    assert.deepEqual([go(most, 10, 1).replicas, go(least, 10, 1).replicas], [5, 8]);
    assert.deepEqual([go(most, 10, 1).limit.reason, go(most, 10, 30).limit.reason], ['ScaleDownLimit', 'ScaleUpLimit']);
    const off = rules({ policies: both, selectPolicy: 'Disabled' }, { ...down, selectPolicy: 'Disabled' });
    assert.deepEqual([go(off, 10, 30).replicas, go(off, 10, 1).replicas], [10, 10]);
  });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { HorizontalPodAutoscaler, MetricSpec } from '../../../pkg/api/generated/autoscaling-v2.ts';
import type { PodMetrics } from '../../../pkg/api/generated/metrics-v1beta1.ts';
import {
  deployments,
  events,
  horizontalPodAutoscalers,
  namespaces,
  podMetrics,
  pods,
  serviceAccounts,
} from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { formatTime } from '../../../pkg/apimachinery/time.ts';
import { type Clock, systemClock } from '../../../pkg/base/clock.ts';
import { describe } from '../../../pkg/registry/descriptor.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'scaled';
/** The autoscaler looks every 15 seconds: that is too long for a test. */
const clock: Clock = {
  now: () => Date.now(),
  setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms === 15_000 ? 250 : ms),
};

let cluster: Cluster;
/** What every Pod is said to use: millicores. */
let used = 0;

before(async () => {
  cluster = await startCluster(clock);
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
  await cluster.addNode('big', '64');
  cluster.playKubelets();
});
after(() => cluster.stop());

/** Plays the metrics API: every running Pod uses the same, measured long after it had started. */
function playMetrics(): void {
  const list = async (place: string | undefined): Promise<Input<PodMetrics>[]> =>
    cluster.client
      .informer(pods)
      .list(place)
      .filter(({ status }) => status.phase === 'Running')
      .map(({ metadata: { name, labels = {} } }) => ({
        metadata: { name, namespace, labels },
        timestamp: formatTime(Date.now() + 60_000),
        window: '15s',
        containers: [{ name: 'c', usage: { cpu: `${used}m`, memory: '10Mi' } }],
      }));
  cluster.serve(describe<PodMetrics>(podMetrics, { verbs: ['get', 'list'], computed: { list } }));
}

async function workload(name: string, metric: MetricSpec, more: Partial<HorizontalPodAutoscaler['spec']> = {}) {
  const labels = { app: name };
  await cluster.client.create(deployments, {
    metadata: { name, namespace },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'c', image: 'app:1', resources: { requests: { cpu: '100m' } } }] },
      },
    },
  });
  await cluster.client.create(horizontalPodAutoscalers, {
    metadata: { name, namespace },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      maxReplicas: 6,
      metrics: [metric],
      ...more,
    },
  });
}

const autoscaler = (name: string) => cluster.client.get(horizontalPodAutoscalers, name, namespace);
const condition = async (name: string, type: string) =>
  (await autoscaler(name)).status.conditions?.find((one) => one.type === type);
const replicas = async (name: string) => (await cluster.client.get(deployments, name, namespace)).spec.replicas;
const reasons = (name: string) =>
  cluster.client
    .informer(events)
    .list(namespace)
    .filter(({ involvedObject }) => involvedObject.kind === 'HorizontalPodAutoscaler' && involvedObject.name === name)
    .map(({ reason }) => reason);
const cpu = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

test('without the metrics API nothing is scaled, and everybody can see why', async () => {
  await workload('blind', cpu(50));
  await until(
    'ScalingActive false',
    async () => (await condition('blind', 'ScalingActive'))?.status === 'False' || undefined,
  );
  const active = await condition('blind', 'ScalingActive');
  assert.equal(active?.reason, 'FailedGetResourceMetric');
  assert.match(active?.message ?? '', /could not find the requested resource \(get pods.metrics.k8s.io\)$/);
  assert.equal((await condition('blind', 'AbleToScale'))?.reason, 'SucceededGetScale');
  assert.equal(await replicas('blind'), 2);
  await until('events', () => (reasons('blind').includes('FailedComputeMetricsReplicas') ? true : undefined));
});

test('up with the load within the limit, and down again', async () => {
  playMetrics();
  used = 90;
  await workload('web', cpu(50), { behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } });
  await until('four replicas', async () => ((await replicas('web')) ?? 0) >= 4 || undefined, 15_000);
  await until('the limit', async () => ((await replicas('web')) === 6 ? true : undefined), 15_000);
  const limited = await until('ScalingLimited', async () => {
    const found = await condition('web', 'ScalingLimited');
    return found?.status === 'True' ? found : undefined;
  });
  assert.equal(limited.reason, 'TooManyReplicas');
  const { status } = await autoscaler('web');
  assert.deepEqual(status.currentMetrics?.[0]?.resource?.current, { averageUtilization: 90, averageValue: '90m' });
  assert.ok(reasons('web').includes('SuccessfulRescale'));
  used = 10;
  await until('two replicas', async () => ((await replicas('web')) ?? 9) <= 2 || undefined, 15_000);
});

test('average values, single containers, and metrics nobody serves', async () => {
  used = 90;
  await workload('average', {
    type: 'ContainerResource',
    containerResource: { name: 'cpu', container: 'c', target: { type: 'AverageValue', averageValue: '60m' } },
  });
  await until('more replicas', async () => ((await replicas('average')) ?? 0) >= 3 || undefined, 15_000);
  const current = await until(
    'current metrics',
    async () => (await autoscaler('average')).status.currentMetrics?.[0]?.containerResource?.current,
  );
  assert.equal(current.averageValue, '90m');
  await workload('foreign', {
    type: 'Pods',
    pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '5' } },
  });
  const active = await until('ScalingActive', () => condition('foreign', 'ScalingActive'));
  assert.deepEqual([active.status, active.reason], ['False', 'FailedGetPodsMetric']);
});

test('a target that is not there, or is above the maximum', async () => {
  const { client } = cluster;
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'nothing' };
  await client.create(horizontalPodAutoscalers, {
    metadata: { name: 'lost', namespace },
    spec: { scaleTargetRef, maxReplicas: 3 },
  });
  const able = await until('AbleToScale', () => condition('lost', 'AbleToScale'));
  assert.deepEqual([able.status, able.reason], ['False', 'FailedGetScale']);
  await workload('huge', cpu(50), { maxReplicas: 1 });
  await until('one replica', async () => ((await replicas('huge')) === 1 ? true : undefined));
});

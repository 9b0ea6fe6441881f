import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Deployment } from '../../../pkg/api/generated/apps-v1.ts';
import {
  configMaps,
  deployments,
  endpointSlices,
  endpoints,
  events,
  namespaces,
  nodes,
  pods,
  replicaSets,
  secrets,
  serviceAccounts,
  services,
} from '../../../pkg/api/resources.ts';
import type { Input, KubeObject, ResourceType } from '../../../pkg/api/types.ts';
import { isStatusReason } from '../../../pkg/apimachinery/status-error.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const namespace = 'shop';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

function web(replicas: number, cpu: string): Input<Deployment> {
  const resources = { requests: { cpu } };
  return {
    metadata: { name: 'web', namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [{ name: 'c', image: 'app:1', resources, ports: [{ name: 'http', containerPort: 8080 }] }],
        },
      },
    },
  };
}

const deployment = () => cluster.client.get(deployments, 'web', namespace);
const list = (type: ResourceType): readonly KubeObject[] => cluster.client.informer(type).list(namespace);
const isComplete = async (revision: string): Promise<true | undefined> => {
  const { metadata, spec, status } = await deployment();
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  const done =
    metadata.annotations?.[REVISION] === revision &&
    status.observedGeneration === metadata.generation &&
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas &&
    progressing?.reason === 'NewReplicaSetAvailable';
  return done || undefined;
};

test('without a node: Pods wait, and say for what', async () => {
  await cluster.client.create(deployments, web(3, '300m'));
  const event = await until('FailedScheduling', () =>
    cluster.client
      .informer(events)
      .list(namespace)
      .find(({ reason }) => reason === 'FailedScheduling'),
  );
  assert.equal(event.message, 'no nodes available to schedule pods');
  assert.equal(event.source.component, 'default-scheduler');
  const [set] = cluster.client.informer(replicaSets).list(namespace);
  assert.deepEqual(set?.metadata.annotations, {
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
    [REVISION]: '1',
  });
});

test('a node: it gets its addresses, the Pods get it, the Deployment completes', async () => {
  cluster.playKubelets();
  await cluster.addNode('edge', '1200m');
  await until('rollout', () => isComplete('1'));
  const { spec } = await cluster.client.get(nodes, 'edge');
  assert.deepEqual(spec.podCIDRs, ['10.42.0.0/24']);
  const messages = await until('Scheduled events', () => {
    const told = cluster.client
      .informer(events)
      .list(namespace)
      .filter(({ reason }) => reason === 'Scheduled');
    return told.length === 3 ? told.map(({ message }) => message) : undefined;
  });
  for (const message of messages) assert.match(message ?? '', /^Successfully assigned shop\/web-\w+-\w+ to edge$/);
});

test('a Service finds them', async () => {
  await cluster.client.create(services, {
    metadata: { name: 'web', namespace },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  });
  const slice = await until('slice', () =>
    cluster.client
      .informer(endpointSlices)
      .list(namespace)
      .find(({ endpoints: found }) => found?.length === 3),
  );
  assert.deepEqual(slice.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  assert.ok(slice.endpoints?.every(({ conditions, nodeName }) => conditions.ready && nodeName === 'edge'));
  await until(
    'endpoints',
    () => cluster.client.informer(endpoints).get('web', namespace)?.subsets?.[0]?.addresses?.[2],
  );
});

test('a rollout, its undoing, scaling', async () => {
  const setImage = (image: string) =>
    cluster.client.patch(
      deployments,
      'web',
      { type: 'strategic', body: { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } } },
      { namespace },
    );
  await setImage('app:2');
  await until('second rollout', () => isComplete('2'));
  assert.deepEqual(
    cluster.client
      .informer(replicaSets)
      .list(namespace)
      .map(({ spec }) => spec.replicas)
      .sort(),
    [0, 3],
  );
  await setImage('app:1');
  await until('third rollout', () => isComplete('3'));
  assert.equal(list(replicaSets).length, 2, 'the first ReplicaSet is used again');
  await cluster.client.patch(deployments, 'web', { type: 'merge', body: { spec: { replicas: 6 } } }, { namespace });
  const full = await until('Insufficient cpu', () =>
    cluster.client
      .informer(events)
      .list(namespace)
      .find(({ message }) => message?.includes('Insufficient cpu')),
  );
  assert.equal(
    full.message,
    '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  );
  const waiting = await until('condition', () =>
    cluster.client
      .informer(pods)
      .list(namespace)
      .find(({ status }) =>
        status.conditions?.some(({ type, status: value }) => type === 'PodScheduled' && value === 'False'),
      ),
  );
  assert.equal(waiting.status.conditions?.[0]?.reason, 'Unschedulable');
  await cluster.addNode('second', '4');
  await until('all six', () => isComplete('3'));
});

test('a deleted Pod is replaced; a deleted Deployment takes everything with it', async () => {
  const [victim] = cluster.client.informer(pods).list(namespace);
  await cluster.client.delete(pods, victim?.metadata.name ?? '', { namespace });
  await until('replacement', () => {
    const names = cluster.client
      .informer(pods)
      .list(namespace)
      .map(({ metadata }) => metadata.name);
    return (names.length === 6 && !names.includes(victim?.metadata.name ?? '')) || undefined;
  });
  await cluster.client.delete(deployments, 'web', { namespace, propagationPolicy: 'Foreground' });
  await until('gone', () => list(pods).length + list(replicaSets).length + list(deployments).length === 0 || undefined);
});

test('a deleted namespace empties itself', async () => {
  await cluster.client.create(configMaps, { metadata: { name: 'c', namespace } });
  await cluster.client.create(secrets, { metadata: { name: 's', namespace } });
  await cluster.client.create(deployments, web(2, '10m'));
  await until('Pods', () => list(pods).length === 2 || undefined);
  await cluster.client.delete(namespaces, namespace);
  await until('gone', async () => {
    try {
      await cluster.client.get(namespaces, namespace);
      return undefined;
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return true;
      throw error;
    }
  });
  for (const type of [configMaps, secrets, services, serviceAccounts, endpointSlices]) assert.deepEqual(list(type), []);
});

test('nobody complained', () => {
  assert.deepEqual(cluster.complaints, []);
});

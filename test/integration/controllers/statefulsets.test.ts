import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  controllerRevisions,
  namespaces,
  persistentVolumeClaims,
  pods,
  serviceAccounts,
  statefulSets,
} from '../../../pkg/api/resources.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'data';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
  cluster.playKubelets();
  await cluster.addNode('edge', '4');
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

const set = () => cluster.client.informer(statefulSets).get('db', namespace);
const podNames = (): string[] =>
  cluster.client
    .informer(pods)
    .list(namespace)
    .map(({ metadata }) => metadata.name)
    .sort();
const settled = (replicas: number) =>
  until(`${replicas} replicas`, () => {
    const found = set();
    const { status, metadata } = found ?? {};
    const counts = [status?.replicas, status?.availableReplicas, status?.updatedReplicas];
    return (
      (counts.every((count) => count === replicas) && status?.observedGeneration === metadata?.generation) || undefined
    );
  });
const patch = (spec: object) =>
  cluster.client.patch(statefulSets, 'db', { type: 'strategic', body: { spec } }, { namespace });

test('Pods with names that stay', async () => {
  await cluster.client.create(statefulSets, {
    metadata: { name: 'db', namespace },
    spec: {
      serviceName: 'db',
      replicas: 3,
      selector: { matchLabels: { app: 'db' } },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'db:1' }] } },
    },
  });
  await settled(3);
  assert.deepEqual(podNames(), ['db-0', 'db-1', 'db-2']);
  const created = cluster.client
    .informer(pods)
    .list(namespace)
    .map(({ metadata }) => Number(metadata.resourceVersion));
  assert.equal(new Set(created).size, 3);
});

test('a rolling update, its undoing, scaling', async () => {
  await patch({ template: { spec: { containers: [{ name: 'c', image: 'db:2' }] } } });
  await until('new revision', () => set()?.status.updateRevision !== set()?.status.currentRevision || undefined);
  await settled(3);
  assert.equal(cluster.client.informer(controllerRevisions).list(namespace).length, 2);
  assert.ok(
    cluster.client
      .informer(pods)
      .list(namespace)
      .every(({ spec }) => spec.containers[0]?.image === 'db:2'),
  );
  await patch({ replicas: 1 });
  await settled(1);
  assert.deepEqual(podNames(), ['db-0']);
});

test('each Pod has its claim, which outlives it', async () => {
  await cluster.client.create(statefulSets, {
    metadata: { name: 'store', namespace },
    spec: {
      serviceName: 'store',
      replicas: 2,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: 'store' } },
      template: { metadata: { labels: { app: 'store' } }, spec: { containers: [{ name: 'c', image: 'store:1' }] } },
      volumeClaimTemplates: [
        {
          metadata: { name: 'disk' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  });
  const claims = (): string[] =>
    cluster.client
      .informer(persistentVolumeClaims)
      .list(namespace)
      .map(({ metadata }) => metadata.name)
      .sort();
  await until('claims and Pods', () => (claims().length === 2 && podNames().includes('store-1')) || undefined);
  await cluster.client.delete(statefulSets, 'store', { namespace });
  await until('Pods gone', () => !podNames().some((name) => name.startsWith('store')) || undefined);
  assert.deepEqual(claims(), ['disk-store-0', 'disk-store-1']);
});

test('nobody complained', () => {
  assert.deepEqual(cluster.complaints, []);
});

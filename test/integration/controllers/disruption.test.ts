import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deployments, namespaces, podDisruptionBudgets, pods, serviceAccounts } from '../../../pkg/api/resources.ts';
import { StatusError } from '../../../pkg/apimachinery/status-error.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'guarded';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
  cluster.playKubelets();
  await cluster.addNode('edge', '4');
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

const list = () => cluster.client.informer(pods).list(namespace);
const budget = () => cluster.client.informer(podDisruptionBudgets).get('web', namespace);
const allowed = (count: number) =>
  until(`${count} disruptions allowed`, () => budget()?.status.disruptionsAllowed === count || undefined);
const evict = (name: string): Promise<object> => {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  return cluster.client.createSubresource(pods, name, 'eviction', body, { namespace });
};

test('as many as the budget allows may be evicted, and more when they are replaced', async () => {
  const labels = { app: 'web' };
  await cluster.client.create(deployments, {
    metadata: { name: 'web', namespace },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'app:1' }] } },
    },
  });
  await cluster.client.create(podDisruptionBudgets, {
    metadata: { name: 'web', namespace },
    spec: { minAvailable: '60%', selector: { matchLabels: labels } },
  });
  await allowed(1);
  const [first, second] = list().map(({ metadata }) => metadata.name);
  const results = await Promise.allSettled([evict(first ?? ''), evict(second ?? '')]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const refused = results.find((result) => result.status === 'rejected')?.reason;
  assert.ok(refused instanceof StatusError);
  assert.equal(refused.code, 429);
  assert.deepEqual(refused.status.details?.causes, [
    { reason: 'DisruptionBudget', message: 'The disruption budget web needs 2 healthy pods and has 3 currently' },
  ]);
  await allowed(1);
  assert.equal(list().length, 3);
  assert.equal(budget()?.status.disruptedPods, undefined);
});

test('a whole node is drained by asking again and again', async () => {
  const before = new Set(list().map(({ metadata }) => metadata.name));
  for (const name of before) {
    await until(`${name} evicted`, async () => {
      try {
        return await evict(name);
      } catch (error) {
        if (error instanceof StatusError && error.code === 429) return undefined;
        throw error;
      }
    });
  }
  await allowed(1);
  assert.ok(list().every(({ metadata }) => !before.has(metadata.name)));
});

test('nobody complained', () => {
  assert.deepEqual(cluster.complaints, []);
});

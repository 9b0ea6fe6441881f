import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { daemonSets, namespaces, nodes, pods, serviceAccounts } from '../../../pkg/api/resources.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'daemons';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
  cluster.playKubelets();
  for (const name of ['a', 'b']) await cluster.addNode(name, '4');
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

const set = () => cluster.client.informer(daemonSets).get('agent', namespace);
const placed = (): string[] =>
  cluster.client
    .informer(pods)
    .list(namespace)
    .map(({ spec }) => `${spec.nodeName ?? ''} ${spec.containers[0]?.image}`)
    .sort();
const available = (count: number) =>
  until(`${count} available`, () => {
    const found = set();
    const { numberAvailable, updatedNumberScheduled, observedGeneration } = found?.status ?? {};
    const settled = numberAvailable === count && updatedNumberScheduled === count;
    return (settled && observedGeneration === found?.metadata.generation) || undefined;
  });

test('the scheduler puts a Pod on each node', async () => {
  await cluster.client.create(daemonSets, {
    metadata: { name: 'agent', namespace },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'c', image: 'agent:1' }] } },
    },
  });
  await available(2);
  assert.deepEqual(placed(), ['a agent:1', 'b agent:1']);
  await cluster.addNode('c', '4');
  await available(3);
});

test('on a node that takes no other Pods, too', async () => {
  await cluster.client.patch(nodes, 'c', { type: 'merge', body: { spec: { unschedulable: true } } });
  await cluster.client.deleteCollection(pods, { namespace });
  await until('new Pods', () => placed().length === 3 || undefined);
  await available(3);
});

test('an update goes over all nodes; the set takes its Pods with it', async () => {
  const containers = [{ name: 'c', image: 'agent:2' }];
  const body = { spec: { template: { spec: { containers } } } };
  const updated = await cluster.client.patch(daemonSets, 'agent', { type: 'strategic', body }, { namespace });
  assert.equal(updated.metadata.annotations?.['deprecated.daemonset.template.generation'], '2');
  await available(3);
  assert.deepEqual(placed(), ['a agent:2', 'b agent:2', 'c agent:2']);
  await cluster.client.delete(daemonSets, 'agent', { namespace });
  await until('gone', () => placed().length === 0 || undefined);
});

test('nobody complained', () => {
  assert.deepEqual(cluster.complaints, []);
});

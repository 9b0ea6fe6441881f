import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Pod } from '../../../pkg/api/generated/core-v1.ts';
import {
  limitRanges,
  namespaces,
  pods,
  resourceQuotas,
  serviceAccounts,
  services,
} from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'small';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

const used = (): Record<string, string> =>
  cluster.client.informer(resourceQuotas).get('q', namespace)?.status.used ?? {};
const pod = (name: string, cpu?: string): Input<Pod> => ({
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', image: 'app:1', ...(cpu && { resources: { requests: { cpu } } }) }] },
});

test('no more than the quota allows, even when all come at once', async () => {
  await cluster.client.create(resourceQuotas, {
    metadata: { name: 'q', namespace },
    spec: { hard: { pods: '3', 'requests.cpu': '1', 'services.nodeports': '1' } },
  });
  await until('status', () => used()['pods'] === '0' || undefined);
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) => cluster.client.create(pods, pod(`p${index}`, '100m'))),
  );
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 3);
  assert.deepEqual(used(), { pods: '3', 'requests.cpu': '300m', 'services.nodeports': '0' });
  await assert.rejects(cluster.client.create(pods, pod('unsaid')), {
    message: 'pods "unsaid" is forbidden: failed quota: q: must specify requests.cpu for: c',
  });
  await assert.rejects(cluster.client.create(pods, pod('big', '900m')), {
    message:
      'pods "big" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=900m, used: pods=3,requests.cpu=300m, limited: pods=3,requests.cpu=1',
  });
});

test('what is deleted makes room, and so does what changes', async () => {
  await cluster.client.deleteCollection(pods, { namespace });
  await until('room', () => used()['pods'] === '0' || undefined);
  await cluster.client.create(pods, pod('again', '1'));
  const web = await cluster.client.create(services, {
    metadata: { name: 'web', namespace },
    spec: { type: 'NodePort', ports: [{ port: 80 }] },
  });
  assert.equal(used()['services.nodeports'], '1');
  await cluster.client.update(services, { ...web, spec: { ...web.spec, type: 'ClusterIP' } });
  await until('port is free', () => used()['services.nodeports'] === '0' || undefined);
});

test('a limit range fills in what a quota asks for', async () => {
  await cluster.client.create(limitRanges, {
    metadata: { name: 'l', namespace },
    spec: {
      limits: [
        { type: 'Container', defaultRequest: { cpu: '50m' }, max: { cpu: '2' }, maxLimitRequestRatio: { cpu: '50' } },
      ],
    },
  });
  await cluster.client.deleteCollection(pods, { namespace });
  await until('room', () => used()['pods'] === '0' || undefined);
  const made = await cluster.client.create(pods, pod('plain'));
  assert.deepEqual(made.spec.containers[0]?.resources, { limits: { cpu: '2' }, requests: { cpu: '50m' } });
  assert.equal(
    made.metadata.annotations?.['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
  );
  await assert.rejects(cluster.client.create(pods, pod('thin', '10m')), {
    message:
      'pods "thin" is forbidden: cpu max limit to request ratio per Container is 50, but provided ratio is 200.000000',
  });
});

test('nobody complained', () => {
  assert.deepEqual(cluster.complaints, []);
});

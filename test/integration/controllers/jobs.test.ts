import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { jobs, namespaces, pods, serviceAccounts } from '../../../pkg/api/resources.ts';
import { formatTime } from '../../../pkg/apimachinery/time.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'batch';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
  cluster.playKubelets();
  await cluster.addNode('edge', '4');
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'app:1' }] } };
const job = (name: string) => cluster.client.informer(jobs).get(name, namespace);
const podsOf = (name: string) =>
  cluster.client
    .informer(pods)
    .list(namespace)
    .filter(({ metadata }) => metadata.labels?.['batch.kubernetes.io/job-name'] === name);
const running = (name: string) => podsOf(name).filter(({ status }) => status.phase === 'Running');

async function end(name: string, phase: 'Succeeded' | 'Failed', exitCode: number): Promise<void> {
  for (const { metadata } of running(name)) {
    const time = formatTime(Date.now());
    const terminated = { exitCode, startedAt: time, finishedAt: time };
    const containerStatuses = [
      { name: 'c', ready: false, restartCount: 0, image: '', imageID: '', state: { terminated } },
    ];
    const patch = { type: 'strategic' as const, body: { status: { phase, containerStatuses } } };
    await cluster.client.patch(pods, metadata.name, patch, { namespace, subresource: 'status' });
  }
}

test('a Job runs its Pods to completion and goes when its time is over', async () => {
  const created = await cluster.client.create(jobs, {
    metadata: { name: 'sum', namespace },
    spec: { completions: 3, parallelism: 3, completionMode: 'Indexed', ttlSecondsAfterFinished: 1, template },
  });
  assert.equal(created.spec.selector?.matchLabels?.['batch.kubernetes.io/controller-uid'], created.metadata.uid);
  await until('three Pods', () => running('sum').length === 3 || undefined);
  assert.deepEqual(
    podsOf('sum')
      .map(({ spec }) => spec.hostname)
      .sort(),
    ['sum-0', 'sum-1', 'sum-2'],
  );
  await end('sum', 'Succeeded', 0);
  const done = await until('completion', () => {
    const found = job('sum');
    return found?.status.completionTime === undefined ? undefined : found;
  });
  assert.equal(done.status.completedIndexes, '0-2');
  assert.equal(done.status.succeeded, 3);
  await until('gone', () => (job('sum') === undefined && podsOf('sum').length === 0) || undefined);
});

test('a Job that fails says why', async () => {
  await cluster.client.create(jobs, { metadata: { name: 'bad', namespace }, spec: { backoffLimit: 0, template } });
  await until('its Pod', () => running('bad').length === 1 || undefined);
  await end('bad', 'Failed', 1);
  const failed = await until('failure', () => job('bad')?.status.conditions?.find(({ type }) => type === 'Failed'));
  assert.equal(failed.reason, 'BackoffLimitExceeded');
  assert.equal(job('bad')?.status.failed, 1);
});

test('deleting a Job in the background takes its Pods, orphaning leaves them free', async () => {
  for (const name of ['one', 'two']) {
    await cluster.client.create(jobs, { metadata: { name, namespace }, spec: { template } });
    await until('its Pod', () => running(name).length === 1 || undefined);
  }
  await cluster.client.delete(jobs, 'one', { namespace, propagationPolicy: 'Background' });
  await until('Pods gone', () => podsOf('one').length === 0 || undefined);
  await cluster.client.delete(jobs, 'two', { namespace, propagationPolicy: 'Orphan' });
  await until('Pod is free', () => {
    const [pod] = podsOf('two');
    return (pod?.metadata.ownerReferences ?? []).length + (pod?.metadata.finalizers ?? []).length === 0 || undefined;
  });
});

test('nobody complained', () => {
  assert.deepEqual(cluster.complaints, []);
});

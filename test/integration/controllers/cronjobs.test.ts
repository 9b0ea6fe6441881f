import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cronJobs, jobs, namespaces, pods, serviceAccounts } from '../../../pkg/api/resources.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'cron';
const MINUTE = 60_000;
/** The clock of the cluster stands shortly before a full minute when it starts; a slow machine sees the next one. */
const ahead = MINUTE - 4_000 - (Date.now() % MINUTE);

let cluster: Cluster;
before(async () => {
  cluster = await startCluster({ ...systemClock, now: () => Date.now() + ahead });
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

test('at its time a CronJob starts a Job, and keeps no more of them than it should', async () => {
  const spec = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'app:1' }] };
  await cluster.client.create(cronJobs, {
    metadata: { name: 'tick', namespace },
    spec: {
      schedule: '* * * * *',
      timeZone: 'Asia/Kolkata',
      successfulJobsHistoryLimit: 0,
      jobTemplate: { metadata: { labels: { from: 'cron' } }, spec: { template: { spec } } },
    },
  });
  const job = await until('Job', () => cluster.client.informer(jobs).list(namespace)[0], 90_000);
  assert.match(job.metadata.name, /^tick-\d{8}$/);
  assert.equal(job.metadata.labels?.['from'], 'cron');
  const scheduled = job.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'] ?? '';
  assert.match(scheduled, /:00\+05:30$/);
  const pod = await until('Pod', () => cluster.client.informer(pods).list(namespace)[0]);
  const cronJob = await until('status', () => {
    const found = cluster.client.informer(cronJobs).get('tick', namespace);
    return found?.status.active?.[0]?.name === job.metadata.name ? found : undefined;
  });
  assert.equal(Date.parse(cronJob.status.lastScheduleTime ?? ''), Date.parse(scheduled));
  const status = { status: { phase: 'Succeeded' } };
  const options = { namespace, subresource: 'status' };
  await cluster.client.patch(pods, pod.metadata.name, { type: 'strategic', body: status }, options);
  await until('no history', () => cluster.client.informer(jobs).list(namespace).length === 0 || undefined);
  await until('success', () => {
    const found = cluster.client.informer(cronJobs).get('tick', namespace);
    return found?.status.active === undefined ? found?.status.lastSuccessfulTime : undefined;
  });
});

test('nobody complained', () => {
  assert.deepEqual(cluster.complaints, []);
});

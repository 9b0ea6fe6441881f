import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ensureKubectl } from '../../packaging/dev/lib/kubectl.ts';
import type { Pod, PodSpec } from '../../pkg/api/generated/core-v1.ts';
import {
  deployments,
  events,
  namespaces,
  nodes,
  podDisruptionBudgets,
  pods,
  priorityClasses,
  serviceAccounts,
} from '../../pkg/api/resources.ts';
import type { Input } from '../../pkg/api/types.ts';
import { systemClock } from '../../pkg/base/clock.ts';
import { silentLogger } from '../../pkg/base/log.ts';
import { createHttpClient, type HttpClient } from '../../pkg/client/http/http-client.ts';
import { ApiServerProcess } from './api-server.ts';
import { playKubelet, readyNode, until } from './controllers/cluster.ts';

const namespace = 'placed';
const ZONE = 'topology.kubernetes.io/zone';

let server: ApiServerProcess;
let client: HttpClient;
let program: string;
let alive: NodeJS.Timeout;
const kubelets = new Set<Promise<void>>();
let stopKubelets = (): void => {};

before(async () => {
  // Neither the client's connection nor its timers keep the process.
  alive = setInterval(() => {}, 2 ** 30);
  program = (await ensureKubectl()).program;
  server = await ApiServerProcess.start({ controllers: true, scheduler: true });
  const { ca, cert, key } = server.tls;
  const read = (path: string): string => readFileSync(path, 'utf8');
  client = createHttpClient({
    servers: [server.url],
    ca: read(ca),
    credentials: { cert: read(cert), key: read(key) },
    userAgent: 'kedge-test',
    clock: systemClock,
    log: silentLogger,
  });
  await client.create(namespaces, { metadata: { name: namespace } });
  for (const [name, zone] of [
    ['n1', 'a'],
    ['n2', 'a'],
    ['n3', 'b'],
  ] as const) {
    await client.create(nodes, readyNode(name, '2', { [ZONE]: zone }));
  }
  stopKubelets = client.informer(pods).subscribe(({ type, object }) => {
    if (type === 'deleted' || !object.spec.nodeName) return;
    const played = playKubelet(client, object).finally(() => kubelets.delete(played));
    kubelets.add(played);
  });
  await Promise.all([client.informer(pods).synced(), client.informer(events).synced()]);
  await until('default service account', () => client.informer(serviceAccounts).get('default', namespace));
});
after(async () => {
  stopKubelets();
  await Promise.all(kubelets);
  client?.close();
  await server?.stop();
  clearInterval(alive);
});

const exec = promisify(execFile);

async function kubectl(...args: string[]): Promise<string> {
  const env = { ...process.env, KUBECONFIG: server.kubeconfig };
  const { stdout } = await exec(program, args, { env, timeout: 60_000 });
  return stdout;
}

const list = (app: string): readonly Pod[] =>
  client
    .informer(pods)
    .list(namespace)
    .filter(({ metadata }) => metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined);

/** How many Pods of `app` are on each node, once all of them run. */
const placed = (app: string, count: number): Promise<Record<string, number>> =>
  until(`${count} Pods of ${app} run`, () => {
    const running = list(app).filter(({ status }) => status.phase === 'Running');
    if (running.length !== count || list(app).length !== count) return undefined;
    const perNode: Record<string, number> = {};
    for (const { spec } of running) perNode[spec.nodeName ?? ''] = (perNode[spec.nodeName ?? ''] ?? 0) + 1;
    return perNode;
  });

const told = (app: string, reason: string): Promise<string> =>
  until(`${reason} is told of ${app}`, () => {
    const names = new Set(list(app).map(({ metadata }) => metadata.name));
    return client
      .informer(events)
      .list(namespace)
      .find((event) => event.reason === reason && names.has(event.involvedObject.name ?? ''))?.message;
  });

function deploy(app: string, replicas: number, spec: Input<PodSpec> = {}, cpu = '100m'): Promise<unknown> {
  const labels = { app };
  const containers = [{ name: 'c', image: 'app:1', resources: { requests: { cpu } } }];
  const template = { metadata: { labels }, spec: { containers, ...spec } };
  return client.create(deployments, {
    metadata: { name: app, namespace },
    spec: { replicas, selector: { matchLabels: labels }, template },
  });
}

const remove = async (app: string): Promise<void> => {
  await client.delete(deployments, app, { namespace, propagationPolicy: 'Background' });
  await until(`${app} is gone`, () => list(app).length === 0 || undefined);
};

test('anti-affinity, spread over zones, and what is told when there is no place left', async () => {
  const self = { labelSelector: { matchLabels: { app: 'alone' } }, topologyKey: 'kubernetes.io/hostname' };
  const apart = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [self] } };
  await deploy('alone', 3, { affinity: apart });
  assert.deepEqual(await placed('alone', 3), { n1: 1, n2: 1, n3: 1 });
  await kubectl('scale', 'deployment/alone', '--replicas=4', '-n', namespace);
  assert.equal(
    await told('alone', 'FailedScheduling'),
    "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. no new claims to deallocate, " +
      'preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.',
  );
  await remove('alone');
  const spread = {
    maxSkew: 1,
    topologyKey: ZONE,
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: 'zoned' } },
    matchLabelKeys: ['pod-template-hash'],
  };
  await deploy('zoned', 6, { topologySpreadConstraints: [spread] });
  const { n1 = 0, n2 = 0, n3 } = await placed('zoned', 6);
  assert.deepEqual([n1 + n2, n3], [3, 3]);
  await remove('zoned');
});

test('kubectl cordon, uncordon, drain with a budget, taint', async () => {
  await deploy('web', 6);
  assert.deepEqual(await placed('web', 6), { n1: 2, n2: 2, n3: 2 });
  await client.create(podDisruptionBudgets, {
    metadata: { name: 'web', namespace },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  assert.match(await kubectl('cordon', 'n1'), /node\/n1 cordoned/);
  assert.match(await kubectl('get', 'node', 'n1'), /SchedulingDisabled/);
  const drained = await kubectl('drain', 'n2', '--ignore-daemonsets', '--timeout=50s');
  assert.match(drained, /evicting pod placed\/web-/);
  assert.match(drained, /node\/n2 drained/);
  assert.deepEqual(await placed('web', 6), { n1: 2, n3: 4 });
  await kubectl('uncordon', 'n1', 'n2');
  await kubectl('taint', 'nodes', 'n3', 'maintenance=now:NoExecute');
  await until('n3 is empty', () => list('web').every(({ spec }) => spec.nodeName !== 'n3') || undefined);
  const { n1 = 0, n2 = 0 } = await placed('web', 6);
  assert.equal(n1 + n2, 6);
  assert.ok(n2 > 0, 'the node that was emptied is used again');
  await kubectl('taint', 'nodes', 'n3', 'maintenance-');
  await remove('web');
});

test('a Pod of higher priority takes the place of others', async () => {
  await client.create(priorityClasses, { metadata: { name: 'urgent' }, value: 1000 });
  await deploy('filler', 3, {}, '1500m');
  await placed('filler', 3);
  await deploy('urgent', 1, { priorityClassName: 'urgent' }, '1');
  await placed('urgent', 1);
  const [urgent] = list('urgent');
  assert.equal(urgent?.spec.priority, 1000);
  assert.equal(urgent?.status.nominatedNodeName, undefined);
  const preempted = await until('an event', () =>
    client
      .informer(events)
      .list(namespace)
      .find(({ reason }) => reason === 'Preempted'),
  );
  assert.equal(preempted.message, `Preempted by pod ${urgent?.metadata.uid} on node ${urgent?.spec.nodeName}`);
  await until('one filler waits', () => list('filler').filter(({ spec }) => !spec.nodeName).length === 1 || undefined);
  const message = await told('filler', 'FailedScheduling');
  assert.match(
    message,
    /^0\/3 nodes are available: 3 Insufficient cpu\. no new claims to deallocate, preemption: 0\/3/,
  );
  await remove('urgent');
  await placed('filler', 3);
  await remove('filler');
});

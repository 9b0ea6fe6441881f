import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import type { Pod } from '../../pkg/api/generated/core-v1.ts';
import { events, nodes, pods } from '../../pkg/api/resources.ts';
import { exec } from '../../pkg/host/exec.ts';
import { KubeletWorld, NODE } from './kubelet-world.ts';

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.2; done';
const STUBBORN = 'trap "" TERM; while :; do sleep 0.2; done';
const world = new KubeletWorld('kl');

const app = (pod: Pod) => pod.status.containerStatuses?.[0];

/** Milliseconds that `work` takes. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function gone(name: string): Promise<void> {
  return world.until(`${name} is gone`, () => world.client.informer(pods).get(name, 'default') === undefined);
}

describe('the life and end of Pods', () => {
  before(async () => {
    await world.start('10.213.80.0/24');
    await world.startKubelet();
  });
  after(() => world.close());

  test('preStop runs, SIGTERM follows, and SIGKILL when the grace period is over', async () => {
    const volumes = [{ name: 'out', hostPath: { path: world.base } }];
    const volumeMounts = [{ name: 'out', mountPath: '/out' }];
    const lifecycle = {
      postStart: { exec: { command: ['sh', '-c', 'echo post > /out/hooks'] } },
      preStop: { exec: { command: ['sh', '-c', 'echo pre >> /out/hooks'] } },
    };
    const script = 'trap "echo term >> /out/hooks; exit 0" TERM; while :; do sleep 0.1; done';
    await world.createPod(
      'polite',
      script,
      { volumeMounts, lifecycle },
      { volumes, terminationGracePeriodSeconds: 20 },
    );
    await world.running('polite');
    assert.ok((await timed(() => world.deletePod('polite'))) < 5000);
    assert.equal(readFileSync(join(world.base, 'hooks'), 'utf8'), 'post\npre\nterm\n');

    await world.createPod('stubborn', STUBBORN, {}, { terminationGracePeriodSeconds: 3 });
    await world.running('stubborn');
    const took = await timed(() => world.deletePod('stubborn'));
    assert.ok(took > 2500 && took < 6000, `${took} ms`);
  });

  test('a deletion repeated with less patience is quicker, and a forced one leaves nothing behind', async () => {
    await world.createPod('slow', STUBBORN, {}, { terminationGracePeriodSeconds: 600 });
    await world.running('slow');
    await world.client.delete(pods, 'slow', { namespace: 'default' });
    await world.pod('slow', 'terminating', (pod) => pod.metadata.deletionTimestamp !== undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const took = await timed(async () => {
      await world.client.delete(pods, 'slow', { namespace: 'default', gracePeriodSeconds: 1 });
      await gone('slow');
    });
    assert.ok(took < 6000, `${took} ms`);

    await world.createPod('forced', STUBBORN, {}, { terminationGracePeriodSeconds: 3 });
    await world.running('forced');
    await world.client.delete(pods, 'forced', { namespace: 'default', gracePeriodSeconds: 0 });
    assert.equal(world.client.informer(pods).get('forced', 'default'), undefined);
    await world.until('its containers end', async () => {
      const { containers } = await world.containerd.client.runtime.listContainers({});
      return containers.length === 0;
    });
  });

  test('what does not fit is refused, and takes no room; who ran before is not judged again', async () => {
    const failed = async (name: string): Promise<Pod['status']> =>
      (await world.pod(name, 'Failed', ({ status }) => status.phase === 'Failed', 120)).status;
    const ports = [{ containerPort: 80, hostPort: 18_080 }];
    const capacity = 1000 * Number((await world.client.get(nodes, NODE)).status.allocatable?.['cpu']);
    await world.createPod('holder', FOREVER, { ports, resources: { requests: { cpu: '10m' } } });
    await world.running('holder');
    await world.createPod('second', FOREVER, { ports });
    const { reason, message, containerStatuses, startTime } = await failed('second');
    const told = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
    assert.deepEqual([reason, message], ['NodePorts', `Pod was rejected: ${told}`]);
    assert.deepEqual([containerStatuses, typeof startTime], [undefined, 'string']);
    await world.until('its event', () => {
      const found = world.client.informer(events).list('default');
      return found.some((event) => event.type === 'Warning' && event.reason === 'NodePorts' && event.message === told);
    });

    await world.createPod('big', FOREVER, { resources: { requests: { cpu: '4000' } } });
    const big = await failed('big');
    assert.equal(big.reason, 'OutOfcpu');
    const match = /requested: 4000000, used: (\d+), capacity: (\d+)$/.exec(big.message ?? '');
    assert.equal(match?.[2], String(capacity), big.message);
    await world.createPod('elsewhere', FOREVER, {}, { nodeSelector: { disk: 'fast' } });
    assert.equal((await failed('elsewhere')).reason, 'NodeAffinity');
    const { containers } = await world.containerd.client.runtime.listContainers({});
    assert.deepEqual(
      containers.filter(({ labels }) => /second|big|elsewhere/.test(labels['io.kubernetes.pod.name'] ?? '')),
      [],
    );

    // A node that has changed refuses new Pods only, also after a restart of kedge.
    const taint = { key: 'example.test/away', effect: 'NoExecute' };
    await world.client.patch(nodes, NODE, { type: 'merge', body: { spec: { taints: [taint] } } });
    await world.stopKubelet();
    await world.createPod('late', FOREVER);
    await world.startKubelet();
    assert.equal((await failed('late')).reason, 'TaintToleration');
    await world.client.patch(nodes, NODE, { type: 'merge', body: { spec: { taints: null } } });
    assert.equal((await world.client.get(pods, 'holder', 'default')).status.phase, 'Running');

    for (const name of ['holder', 'second', 'big', 'elsewhere', 'late']) await world.deletePod(name);
    await world.createPod('third', FOREVER, { ports });
    await world.running('third');
    await world.deletePod('third');
  });

  test('a Pod that never started goes at once', async () => {
    const volumes = [{ name: 'cfg', configMap: { name: 'missing' } }];
    await world.createPod('never', FOREVER, { volumeMounts: [{ name: 'cfg', mountPath: '/cfg' }] }, { volumes });
    await world.until('FailedMount is told', () =>
      world.lines.some((line) => line.includes('configmap \\"missing\\" not found')),
    );
    assert.ok((await timed(() => world.deletePod('never'))) < 2000);
  });

  test('a new image restarts the container in place', async () => {
    await world.createPod('image', FOREVER);
    const pod = await world.running('image');
    const operations = [{ op: 'replace', path: '/spec/containers/0/image', value: 'kedge.dev/test/none:2' }];
    await world.client.patch(pods, 'image', { type: 'json', operations }, { namespace: 'default' });
    await world.pod('image', 'stopped', (seen) => app(seen)?.state.waiting !== undefined);
    const back = [{ op: 'replace', path: '/spec/containers/0/image', value: 'kedge.dev/test/busybox:1' }];
    await world.client.patch(pods, 'image', { type: 'json', operations: back }, { namespace: 'default' });
    const again = await world.pod(
      'image',
      'running again',
      (seen) => app(seen)?.restartCount === 1 && app(seen)?.state.running !== undefined,
    );
    assert.equal(again.status.podIP, pod.status.podIP);
    await world.deletePod('image');
  });

  test('a Pod whose sandbox dies gets another', async () => {
    await world.createPod('sandbox', FOREVER);
    const pod = await world.running('sandbox');
    const { runtime } = world.containerd.client;
    const { items } = await runtime.listPodSandbox({});
    const { info } = await runtime.podSandboxStatus({ podSandboxId: items[0]?.id ?? '', verbose: true });
    process.kill(JSON.parse(info['info'] ?? '{}').pid, 'SIGKILL');
    const again = await world.pod(
      'sandbox',
      'running again',
      (seen) => app(seen)?.restartCount === 1 && app(seen)?.state.running !== undefined,
    );
    assert.notEqual(app(again)?.containerID, app(pod)?.containerID);
    assert.equal(
      (await runtime.listPodSandbox({})).items.length,
      2,
      'the dead sandbox still holds the previous container',
    );
    await world.deletePod('sandbox');
  });

  test('a completed Pod keeps its log until it is deleted; a Pod past its deadline fails', async () => {
    await world.createPod('done', 'echo out; echo err >&2', {}, { restartPolicy: 'Never' });
    const pod = await world.pod('done', 'Succeeded', (seen) => seen.status.phase === 'Succeeded');
    assert.equal(app(pod)?.state.terminated?.reason, 'Completed');
    await world.until(
      'its volumes are gone',
      () => !readdirSync(join(world.dataDir, 'agent/kubelet/pods')).includes(pod.metadata.uid),
    );
    const { body } = await world.kubeletGet('/containerLogs/default/done/app?tailLines=10');
    assert.deepEqual(body.split('\n').sort(), ['', 'err', 'out']);
    await world.stopKubelet();
    await world.startKubelet();
    assert.equal((await world.kubeletGet('/containerLogs/default/done/app?stream=Stderr')).body, 'err\n');
    const same = await world.client.get(pods, 'done', 'default');
    assert.deepEqual(same.status.containerStatuses, pod.status.containerStatuses);
    await world.deletePod('done');

    await world.createPod('late', FOREVER, {}, { activeDeadlineSeconds: 2 });
    const late = await world.pod('late', 'Failed', (seen) => seen.status.phase === 'Failed');
    assert.equal(late.status.reason, 'DeadlineExceeded');
    await world.deletePod('late');
  });

  test('the host network, and an ephemeral container beside the others', async () => {
    await world.createPod('host', FOREVER, {}, { hostNetwork: true });
    const pod = await world.running('host');
    assert.equal(pod.status.podIP, '127.0.0.1');
    assert.match(await world.exec(pod, 'cat', '/etc/hosts'), /host network/);
    await world.client.patch(
      pods,
      'host',
      {
        type: 'strategic',
        body: {
          spec: {
            ephemeralContainers: [
              { name: 'debug', image: 'kedge.dev/test/busybox:1', command: ['sh', '-c', 'echo seen'] },
            ],
          },
        },
      },
      { namespace: 'default', subresource: 'ephemeralcontainers' },
    );
    await world.pod(
      'host',
      'the ephemeral container ran',
      (seen) => seen.status.ephemeralContainerStatuses?.[0]?.state.terminated?.exitCode === 0,
    );
    assert.equal((await world.kubeletGet('/containerLogs/default/host/debug')).body, 'seen\n');
    await world.deletePod('host');
  });

  test('limits are in force, and what takes more memory is killed for it', async () => {
    const resources = { limits: { cpu: '500m', memory: '32Mi' } };
    await world.createPod('limited', FOREVER, { resources });
    const pod = await world.running('limited');
    assert.equal(pod.status.qosClass, 'Guaranteed');
    const [limit] = (
      await exec([
        'find',
        '/sys/fs/cgroup',
        '-path',
        `*${world.tag}*pod${pod.metadata.uid}/memory.*`,
        '(',
        '-name',
        'memory.limit_in_bytes',
        '-o',
        '-name',
        'memory.max',
        ')',
      ])
    ).split('\n');
    assert.equal(readFileSync(limit ?? '', 'utf8').trim(), String(32 << 20));
    await world.deletePod('limited');
    await world.createPod('hog', 'x=x; while :; do x=$x$x; done', { resources }, { restartPolicy: 'Never' });
    const hog = await world.pod('hog', 'Failed', (seen) => seen.status.phase === 'Failed');
    assert.equal(app(hog)?.state.terminated?.reason, 'OOMKilled');
    await world.deletePod('hog');
  });

  test('logs are followed to the end, exec by websocket, and an open session does not hold up the stop', async () => {
    await world.createPod('talks', 'trap "echo last; exit 0" TERM; echo one; while :; do sleep 0.1; done');
    await world.running('talks');
    const first = Promise.withResolvers<string>();
    const followed = world.kubeletGet('/containerLogs/default/talks/app?follow=true', first.resolve);
    assert.equal(await first.promise, 'one\n');
    await world.deletePod('talks');
    assert.equal((await followed).body, 'one\nlast\n');

    await world.createPod('shell', FOREVER);
    await world.running('shell');
    const { host, port, ...tls } = world.kubeletAccess();
    const url = `wss://${host}:${port}/exec/default/shell/app?command=cat&input=1&output=1`;
    const socket = new WebSocket(url, 'v5.channel.k8s.io', tls);
    const answers: string[] = [];
    socket.on('message', (data: Buffer) => {
      if (data.length > 1) answers.push(`${data[0]} ${data.toString('utf8', 1)}`);
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.send(Buffer.from('\0hello\n'));
    await world.until('cat answers', () => answers.includes('1 hello\n'));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    assert.ok((await timed(() => world.stopKubelet())) < 2000);
    await closed;
    await world.startKubelet();
    await world.deletePod('shell');
  });

  test('who is not the API server is refused', async () => {
    const { request } = await import('node:https');
    const node = await world.client.get(nodes, NODE);
    const port = node.status.daemonEndpoints.kubeletEndpoint.Port;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port, path: '/pods', rejectUnauthorized: false, agent: false },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        },
      );
      sent.on('error', reject);
      sent.end();
    });
    assert.equal(status, 401);
    assert.equal((await world.kubeletGet('/healthz')).body, 'ok');
    assert.equal((await world.kubeletGet('/nonesuch')).status, 404);
    assert.equal((await world.kubeletGet('/containerLogs/default/nonesuch/app')).status, 404);
  });
});

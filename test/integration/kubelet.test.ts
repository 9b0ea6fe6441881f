import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Pod } from '../../pkg/api/generated/core-v1.ts';
import { configMaps, events, nodes, pods, secrets } from '../../pkg/api/resources.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import { readMounts } from '../../pkg/host/mounts.ts';
import { KubeletWorld, NODE } from './kubelet-world.ts';

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.2; done';
const world = new KubeletWorld('kk');

function app(pod: Pod) {
  const [status] = pod.status.containerStatuses ?? [];
  assert.ok(status);
  return status;
}

function isReady(pod: Pod): boolean {
  return pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

function eventsOf(name: string): string[] {
  return world.client
    .informer(events)
    .list('default')
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ reason, message }) => `${reason} ${message}`);
}

describe('the kubelet with a real containerd and the real API', () => {
  before(() => world.start('10.213.79.0/24'));
  after(() => world.close());

  test('the node registers and becomes Ready', async () => {
    await world.startKubelet();
    const node = await world.client.get(nodes, NODE);
    assert.equal(node.metadata.labels?.['kubernetes.io/hostname'], NODE);
    assert.match(node.status.nodeInfo.containerRuntimeVersion, /^containerd:\/\/\d/);
    assert.ok(Number(node.status.capacity?.['cpu']) > 0);
  });

  test('a Pod runs, has an address, says so, and goes without a trace', async () => {
    await world.createPod('plain', `echo hello; ${FOREVER}`);
    const pod = await world.pod('plain', 'ready', isReady);
    assert.match(pod.status.podIP ?? '', /^10\.213\.79\.\d+$/);
    assert.equal(app(pod).restartCount, 0);
    assert.equal(pod.status.qosClass, 'BestEffort');
    assert.match(await world.exec(pod, 'cat', '/etc/hosts'), new RegExp(`${pod.status.podIP}\\s+plain`));
    assert.match(await world.exec(pod, 'cat', '/etc/resolv.conf'), /search default\.svc\.cluster\.local/);
    assert.equal(await world.exec(pod, 'hostname'), 'plain');
    const logs = await world.kubeletGet('/containerLogs/default/plain/app');
    assert.deepEqual(logs, { status: 200, body: 'hello\n' });
    await world.until('events are recorded', () => eventsOf('plain').some((text) => text.startsWith('Started')));
    await world.deletePod('plain');
    await world.until('nothing of it is left', async () => {
      const folder = join(pathsFor(world.dataDir).kubelet, 'pods', pod.metadata.uid);
      const { items } = await world.containerd.client.runtime.listPodSandbox({});
      return !existsSync(folder) && items.length === 0 && readdirSync(join(world.base, 'pod-logs')).length === 0;
    });
    assert.deepEqual(
      (await readMounts()).filter(({ mountPoint }) => mountPoint.includes(pod.metadata.uid)),
      [],
    );
  });

  test('volumes and environment, and their updates', async () => {
    await world.client.create(configMaps, {
      metadata: { name: 'cfg', namespace: 'default' },
      data: { color: 'red', 'a.txt': 'A' },
    });
    await world.client.create(secrets, {
      metadata: { name: 'sec', namespace: 'default' },
      stringData: { key: 's3cret' },
    });
    await world.createPod(
      'volumes',
      `echo shared > /shared/file; ${FOREVER}`,
      {
        env: [
          { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'color' } } },
          { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'TEXT', value: '$(COLOR) car' },
        ],
        envFrom: [{ secretRef: { name: 'sec' }, prefix: 'S_' }],
        volumeMounts: [
          { name: 'cfg', mountPath: '/cfg' },
          { name: 'cfg', mountPath: '/one.txt', subPath: 'a.txt' },
          { name: 'sec', mountPath: '/sec', readOnly: true },
          { name: 'shared', mountPath: '/shared' },
          { name: 'shared', mountPath: '/sub', subPathExpr: 'of-$(COLOR)' },
          { name: 'ram', mountPath: '/ram' },
          { name: 'info', mountPath: '/info' },
          { name: 'token', mountPath: '/token' },
          { name: 'host', mountPath: '/host' },
        ],
      },
      {
        securityContext: { fsGroup: 2000 },
        volumes: [
          { name: 'cfg', configMap: { name: 'cfg' } },
          { name: 'sec', secret: { secretName: 'sec', defaultMode: 0o400 } },
          { name: 'shared', emptyDir: {} },
          { name: 'ram', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
          { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
          {
            name: 'token',
            projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 600 } }] },
          },
          { name: 'host', hostPath: { path: join(world.base, 'made'), type: 'DirectoryOrCreate' } },
        ],
      },
    );
    const pod = await world.running('volumes');
    const look = (script: string): Promise<string> => world.exec(pod, 'sh', '-c', script);
    assert.equal(await look('echo $COLOR:$TEXT:$S_key:$POD_IP'), `red:red car:s3cret:${pod.status.podIP}`);
    assert.equal(await look('cat /cfg/color /one.txt /sec/key /info/labels'), 'redAs3cretapp="volumes"');
    assert.equal(
      await look('stat -c %a:%g /sec/..data/key; stat -c %g /shared; stat -L -c %a /token/token'),
      '440:2000\n2000\n640',
    );
    assert.match(await look('cat /token/token'), /^ey[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.match(await look('mount | grep " /ram "'), /tmpfs.*size=4096k/);
    assert.equal(await look('touch /sub/x /host/y; ls /shared/of-red'), 'x');
    await assert.rejects(look('touch /cfg/new'), /Read-only/);
    await world.client.patch(
      configMaps,
      'cfg',
      { type: 'merge', body: { data: { color: 'blue' } } },
      { namespace: 'default' },
    );
    await world.until('the volume is updated', async () => (await look('cat /cfg/color')) === 'blue', 5);
    await world.deletePod('volumes');
  });

  test('init containers in order, a sidecar, restart policies and exit codes', async () => {
    const init = (name: string, script: string) => ({
      name,
      image: 'kedge.dev/test/busybox:1',
      command: ['sh', '-c', script],
      volumeMounts: [{ name: 'work', mountPath: '/work' }],
    });
    await world.createPod(
      'ordered',
      'cat /work/log > /dev/termination-log; exit 3',
      { volumeMounts: [{ name: 'work', mountPath: '/work' }] },
      {
        restartPolicy: 'Never',
        volumes: [{ name: 'work', emptyDir: {} }],
        initContainers: [
          init('first', 'echo first >> /work/log'),
          { ...init('side', `echo side >> /work/log; ${FOREVER}`), restartPolicy: 'Always' },
          init('second', 'sleep 0.3; echo second >> /work/log'),
        ],
      },
    );
    const pod = await world.pod('ordered', 'Failed', (seen) => seen.status.phase === 'Failed');
    assert.equal(app(pod).state.terminated?.exitCode, 3);
    assert.equal(app(pod).state.terminated?.message, 'first\nside\nsecond\n');
    const ended = await world.pod('ordered', 'the sidecar ends too', (seen) =>
      (seen.status.initContainerStatuses ?? []).every(({ state }) => state.terminated !== undefined),
    );
    assert.deepEqual(
      ended.status.initContainerStatuses?.map(({ name }) => name),
      ['first', 'side', 'second'],
    );
    await world.deletePod('ordered');
  });

  test('crashes back off', async () => {
    await world.createPod('crash', 'exit 1');
    const pod = await world.pod(
      'crash',
      'CrashLoopBackOff',
      (seen) => seen.status.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff',
    );
    assert.match(
      app(pod).state.waiting?.message ?? '',
      /^back-off 10s restarting failed container=app pod=crash_default\(/,
    );
    assert.equal(app(pod).restartCount, 1);
    assert.equal(app(pod).lastState.terminated?.exitCode, 1);
    await world.deletePod('crash');
  });

  test('an image that cannot be had', async () => {
    await world.createPod('noimage', 'true', { image: 'registry.invalid/none:1', imagePullPolicy: 'Never' });
    const never = await world.pod(
      'noimage',
      'ErrImageNeverPull',
      (seen) => seen.status.containerStatuses?.[0]?.state.waiting?.reason === 'ErrImageNeverPull',
    );
    assert.equal(never.status.phase, 'Pending');
    await world.deletePod('noimage');
    await world.createPod('nopull', 'true', { image: '127.0.0.1:1/none:1' });
    const reason = (seen: Pod): string | undefined => seen.status.containerStatuses?.[0]?.state.waiting?.reason;
    await world.pod('nopull', 'ErrImagePull', (seen) => reason(seen) === 'ErrImagePull');
    await world.pod('nopull', 'ImagePullBackOff', (seen) => reason(seen) === 'ImagePullBackOff');
    await world.deletePod('nopull');
  });

  test('a missing ConfigMap is waited for', async () => {
    await world.createPod('waits', FOREVER, { envFrom: [{ configMapRef: { name: 'late' } }] });
    await world.pod(
      'waits',
      'CreateContainerConfigError',
      (seen) => seen.status.containerStatuses?.[0]?.state.waiting?.reason === 'CreateContainerConfigError',
    );
    await world.client.create(configMaps, { metadata: { name: 'late', namespace: 'default' }, data: { a: 'b' } });
    await world.pod('waits', 'running at once', (seen) => seen.status.phase === 'Running', 5);
    await world.deletePod('waits');
  });

  test('probes: readiness goes into the conditions, liveness restarts', async () => {
    const probe = (path: string) => ({
      exec: { command: ['test', '-e', path] },
      periodSeconds: 1,
      failureThreshold: 1,
    });
    await world.createPod('probed', FOREVER, {
      readinessProbe: probe('/tmp/ready'),
      livenessProbe: { ...probe('/tmp/alive'), initialDelaySeconds: 3 },
    });
    const pod = await world.running('probed');
    assert.equal(isReady(pod), false);
    await world.exec(pod, 'touch', '/tmp/ready', '/tmp/alive');
    await world.pod('probed', 'ready', isReady);
    await world.exec(pod, 'rm', '/tmp/alive');
    const again = await world.pod(
      'probed',
      'restarted',
      (seen) => seen.status.containerStatuses?.[0]?.restartCount === 1,
    );
    assert.equal(isReady(again), false);
    await world.until('Killing is told', () =>
      eventsOf('probed').includes('Killing Container app failed liveness probe, will be restarted'),
    );
    await world.until('Unhealthy is told', () =>
      eventsOf('probed').some((text) => text.startsWith('Unhealthy Liveness probe failed')),
    );
    await world.deletePod('probed');
  });

  test('kedge goes and comes back: containers go on, and what was deleted meanwhile is removed', async () => {
    await world.createPod('stays', FOREVER);
    await world.createPod('leaves', FOREVER);
    const before = await world.pod('stays', 'ready', isReady);
    await world.running('leaves');
    await world.stopKubelet();
    await world.client.delete(pods, 'leaves', { namespace: 'default', gracePeriodSeconds: 0 });
    await world.startKubelet();
    await world.until('the orphan is removed', async () => {
      const { items } = await world.containerd.client.runtime.listPodSandbox({});
      return items.length === 1;
    });
    const after = await world.client.get(pods, 'stays', 'default');
    assert.equal(app(after).containerID, app(before).containerID);
    assert.equal(app(after).restartCount, 0);
    assert.deepEqual(after.status.conditions, before.status.conditions);
    // A container that ends is still noticed, by event.
    await world.exec(after, 'kill', '1');
    await world.pod('stays', 'restarted', (seen) => seen.status.containerStatuses?.[0]?.restartCount === 1, 5);
    await world.deletePod('stays');
  });

  test('start times', async (t) => {
    const times: number[] = [];
    for (let i = 0; i < 10; i++) {
      const begun = performance.now();
      await world.createPod(`fast-${i}`, FOREVER);
      await world.running(`fast-${i}`);
      times.push(Math.round(performance.now() - begun));
      await world.deletePod(`fast-${i}`);
    }
    times.sort((a, b) => a - b);
    t.diagnostic(`pod start, ms: ${times.join(' ')}`);
  });
});

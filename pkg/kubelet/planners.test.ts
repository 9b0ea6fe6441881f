import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Secret } from '../api/generated/core-v1.ts';
import { planCgroupWrites } from '../host/cgroup-tree.ts';
import type { MachineFacts } from '../host/machine.ts';
import { logSource } from './container-log-source.ts';
import { planGarbage } from './garbage.ts';
import { credentialsFor, imageRepository } from './image-credentials.ts';
import { nodeStatus } from './node-object.ts';
import { podReferences } from './pod-references.ts';
import { statusPatch } from './status-patch.ts';
import { makeContainer, makeInstance, makePod, makeRuntime, makeSandbox } from './test-fixtures.ts';

const app = makeContainer('app');

test('one dead instance of each container is kept, and the sandboxes they are in', () => {
  const instance = (restartCount: number, sandboxId: string) =>
    makeInstance(app, 'exited', { restartCount, sandboxId });
  const running = makeInstance(app, 'running', { restartCount: 3, sandboxId: 's2' });
  const sandboxes = ['s2', 's1', 's0'].map((id) => makeSandbox({ id, ready: id === 's2' }));
  const garbage = planGarbage(
    makeRuntime([running, instance(2, 's1'), instance(1, 's0'), instance(0, 's0')], sandboxes),
  );
  assert.deepEqual(
    garbage.containers.map(({ id }) => id),
    ['app-1', 'app-0'],
  );
  assert.deepEqual(garbage.sandboxIds, ['s0']);
});

test('registry credentials are found by host and path', () => {
  const names = ['busybox', 'a/b:1', 'registry.example:5000/a/b@sha256:0', 'localhost/x'];
  assert.deepEqual(names.map(imageRepository), [
    'docker.io/library/busybox',
    'docker.io/a/b',
    'registry.example:5000/a/b',
    'localhost/x',
  ]);
  const auth = Buffer.from('user:pass:word').toString('base64');
  const auths = {
    'https://index.docker.io/v1/': { auth },
    '*.example': { username: 'u', password: 'p' },
    'registry.example/team': { auth },
  };
  const secret: Secret = {
    metadata: { name: 's', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
  };
  const found = (image: string): string[] =>
    credentialsFor(image, [secret]).map(({ serverAddress = '' }) => serverAddress);
  assert.deepEqual(found('busybox'), ['https://index.docker.io/v1/']);
  assert.deepEqual(found('registry.example/team/app'), ['registry.example/team', '*.example']);
  assert.deepEqual(found('registry.example/other'), ['*.example']);
  assert.deepEqual(found('quay.io/x/y'), []);
  assert.equal(credentialsFor('busybox', [secret])[0]?.password, 'pass:word');
  assert.deepEqual(credentialsFor('busybox', [{ ...secret, data: { '.dockerconfigjson': 'bm8=' } }]), []);
});

test('the status patch holds what differs and nothing else', () => {
  const condition = { type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' };
  const stored = makePod({
    status: {
      phase: 'Running',
      reason: 'Old',
      podIPs: [{ ip: '10.0.0.1' }],
      conditions: [condition, { ...condition, type: 'mine/gate' }],
    },
  });
  const same = { phase: 'Running', reason: 'Old', podIPs: [{ ip: '10.0.0.1' }], conditions: [condition] };
  assert.equal(statusPatch(stored, same), undefined);
  const { reason: _, ...rest } = same;
  assert.deepEqual(
    statusPatch(stored, { ...rest, podIPs: [{ ip: '10.0.0.2' }], conditions: [{ ...condition, status: 'False' }] }),
    {
      metadata: { uid: 'uid-1' },
      status: {
        reason: null,
        podIPs: [{ ip: '10.0.0.2' }, { $patch: 'replace' }],
        conditions: [{ ...condition, status: 'False' }],
      },
    },
  );
});

test('which log is meant', () => {
  const terminated = (id: string) => ({
    terminated: { exitCode: 1, startedAt: null, finishedAt: null, containerID: `containerd://${id}` },
  });
  const base = {
    name: 'app',
    ready: false,
    restartCount: 1,
    image: '',
    imageID: '',
    containerID: 'containerd://app-1',
  };
  const runtime = makeRuntime([makeInstance(app, 'running', { restartCount: 1 }), makeInstance(app, 'exited')]);
  const source = (state: object, lastState: object, previous = false): string =>
    logSource(makePod({ status: { containerStatuses: [{ ...base, state, lastState }] } }), runtime, 'app', previous).id;
  assert.equal(source({ running: {} }, terminated('app-0')), 'app-1');
  assert.equal(source({ running: {} }, terminated('app-0'), true), 'app-0');
  assert.equal(source({ waiting: { reason: 'CrashLoopBackOff' } }, terminated('app-0')), 'app-0');
  assert.equal(source(terminated('app-1'), {}), 'app-1');
  assert.throws(
    () => source({ running: {} }, {}, true),
    /^NoLogError: previous terminated container "app" in pod "web" not found$/,
  );
  assert.throws(
    () => source({ waiting: { reason: 'ContainerCreating' } }, {}),
    /is waiting to start: ContainerCreating$/,
  );
  assert.throws(() => source({ waiting: { reason: 'ImagePullBackOff' } }, {}), /trying and failing to pull image$/);
});

test('what a Pod is made from', () => {
  const pod = makePod({
    spec: {
      containers: [
        makeContainer('a', {
          envFrom: [{ secretRef: { name: 's1' } }],
          env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'c1', key: 'k' } } }],
        }),
      ],
      volumes: [
        { name: 'v', projected: { sources: [{ configMap: { name: 'c2' } }] } },
        { name: 'w', secret: { secretName: 's2' } },
      ],
      imagePullSecrets: [{ name: 's3' }],
    },
  });
  assert.deepEqual([...podReferences(pod)].sort(), [
    'ConfigMap/c1',
    'ConfigMap/c2',
    'Secret/s1',
    'Secret/s2',
    'Secret/s3',
  ]);
});

test('cgroups in both versions', () => {
  const settings = { cpuShares: 1024, cpuQuota: 50_000, memoryLimit: 1 << 20 };
  const text = (version: 1 | 2): string[] =>
    planCgroupWrites(version, settings).map(({ file, value }) => `${file}=${value}`);
  assert.deepEqual(text(1), ['cpu.shares=1024', 'cpu.cfs_quota_us=50000', 'memory.limit_in_bytes=1048576']);
  assert.deepEqual(text(2), ['cpu.weight=39', 'cpu.max=50000 100000', 'memory.max=1048576']);
  assert.deepEqual(planCgroupWrites(2, {}), []);
});

test('the node says what it has and how it is', () => {
  const machine: MachineFacts = {
    architecture: 'arm64',
    kernelVersion: '6.1',
    osImage: 'Debian',
    machineID: 'm',
    systemUUID: 'u',
    bootID: 'b',
    cpus: 4,
    memoryBytes: 2 ** 31,
    swapBytes: 0,
    hugepages: new Map([['2Mi', 0]]),
  };
  const identity = {
    name: 'n1',
    ips: ['192.0.2.1', '2001:db8::1'],
    labels: {},
    taints: [],
    maxPods: 110,
    port: 10250,
    version: 'v1',
  };
  const status = (
    problem: string | undefined,
    now: number,
    conditions: ReturnType<typeof nodeStatus>['conditions'] = [],
  ) =>
    nodeStatus({
      identity,
      machine,
      storageBytes: 10 << 20,
      runtimeVersion: 'containerd://2',
      problem,
      conditions,
      now,
    });
  const first = status('network not ready', 0);
  assert.deepEqual(first.capacity, {
    cpu: '4',
    'ephemeral-storage': '10Mi',
    memory: '2Gi',
    pods: '110',
    'hugepages-2Mi': '0',
  });
  assert.deepEqual(
    first.addresses?.map(({ type, address }) => `${type}=${address}`),
    ['InternalIP=192.0.2.1', 'InternalIP=2001:db8::1', 'Hostname=n1'],
  );
  const ready = (of: ReturnType<typeof nodeStatus>) => of.conditions?.find(({ type }) => type === 'Ready');
  assert.deepEqual([ready(first)?.status, ready(first)?.message], ['False', 'network not ready']);
  const second = status(undefined, 60_000, first.conditions);
  assert.deepEqual([ready(second)?.status, ready(second)?.lastTransitionTime], ['True', '1970-01-01T00:01:00Z']);
  const third = status(undefined, 120_000, second.conditions);
  assert.deepEqual(
    [ready(third)?.lastHeartbeatTime, ready(third)?.lastTransitionTime],
    ['1970-01-01T00:02:00Z', '1970-01-01T00:01:00Z'],
  );
});

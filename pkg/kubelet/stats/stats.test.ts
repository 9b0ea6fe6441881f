import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { decode, encode } from '../../cri/codec.ts';
import type { Message, MessageInit } from '../../cri/types.ts';
import { GrpcError } from '../../grpc/error.ts';
import type { MachineUsage } from '../../host/usage.ts';
import type { PodRuntimeStatus } from '../runtime-status.ts';
import { makeContainer, makeInstance, makePod, makeSandbox } from '../test-fixtures.ts';
import { cadvisorMetrics } from './cadvisor-metrics.ts';
import { podUsages } from './pod-usage.ts';
import { resourceMetrics } from './resource-metrics.ts';
import { StatsProvider } from './stats-provider.ts';
import { summaryOf } from './summary.ts';
import { UsageRates } from './usage-rates.ts';

const AT = 1_700_000_000_000;
const machine: MachineUsage = {
  cpuNanos: 5e9,
  bootedAt: AT - 60_000,
  memory: { usage: 300, workingSet: 200, available: 800, rss: 100, pageFaults: 5, majorPageFaults: 1 },
  swapUsage: 0,
  swapAvailable: 0,
  interfaces: [{ name: 'eth0', rxBytes: 1, rxErrors: 2, txBytes: 3, txErrors: 4 }],
};
const fileSystem = { capacity: 1000, available: 600, used: 400, inodes: 50, inodesFree: 30 };

function containerStats(id: string, nanos: number, bytes: number): MessageInit<'ContainerStats'> {
  const timestamp = BigInt(AT) * 1_000_000n;
  return {
    attributes: { id },
    cpu: { timestamp, usageCoreNanoSeconds: { value: nanos } },
    memory: { timestamp, workingSetBytes: { value: bytes }, usageBytes: { value: bytes + 1 } },
    writableLayer: { usedBytes: { value: 10 }, inodesUsed: { value: 2 } },
  };
}

const read = (stats: MessageInit<'ListContainerStatsResponse'>): readonly Message<'ContainerStats'>[] =>
  decode('ListContainerStatsResponse', encode('ListContainerStatsResponse', stats)).stats;
const readSandboxes = (stats: MessageInit<'ListPodSandboxStatsResponse'>): readonly Message<'PodSandboxStats'>[] =>
  decode('ListPodSandboxStatsResponse', encode('ListPodSandboxStatsResponse', stats)).stats;

const pod = makePod({ status: { startTime: '2023-11-14T22:13:00Z' } });
const app = makeContainer('app');
const status: PodRuntimeStatus = {
  uid: 'uid-1',
  name: 'web',
  namespace: 'default',
  sandboxes: [makeSandbox()],
  containers: [makeInstance(app, 'running', { restartCount: 1 }), makeInstance(app, 'exited')],
};

test('without Pod accounting a Pod uses what its running containers use', () => {
  const containers = read({ stats: [containerStats('app-0', 9e9, 900), containerStats('app-1', 2e9, 20)] });
  const [usage] = podUsages({ sandboxes: [], containers }, [pod], () => status);
  assert.deepEqual(usage?.cpu, { at: AT, nanos: 2e9 });
  assert.equal(usage?.memory?.workingSet, 20);
  assert.deepEqual(
    usage?.containers.map(({ id }) => id),
    ['app-1'],
  );
});

test('sandbox stats carry the containers, the Pod and its network', () => {
  const linux = {
    containers: [containerStats('app-1', 2e9, 20)],
    cpu: { timestamp: BigInt(AT) * 1_000_000n, usageCoreNanoSeconds: { value: 2.5e9 } },
    network: { defaultInterface: { name: 'eth0', rxBytes: { value: 7 } } },
  };
  const sandboxes = readSandboxes({ stats: [{ attributes: { id: 'sandbox-0' }, linux }] });
  const [usage] = podUsages({ sandboxes, containers: [] }, [pod], () => status);
  assert.equal(usage?.cpu?.nanos, 2.5e9);
  assert.deepEqual(usage?.interfaces, [{ name: 'eth0', rxBytes: 7, rxErrors: 0, txBytes: 0, txErrors: 0 }]);
  assert.equal(usage?.containers.length, 1);
});

test('a runtime that fails for every sandbox is asked for containers', async () => {
  const fail = () => Promise.reject(new GrpcError('UNKNOWN', 'RuntimeService/PodSandboxStats', 'no such cgroup'));
  const provider = new StatsProvider({
    runtime: {
      listPodSandboxStats: fail,
      podSandboxStats: fail,
      listContainerStats: () => Promise.resolve({ stats: read({ stats: [containerStats('app-1', 2e9, 20)] }) }),
    },
    images: { imageFsInfo: () => Promise.resolve({ imageFilesystems: [], containerFilesystems: [] }) },
    runtimeOf: () => status,
    pods: () => [pod],
    clock: systemClock,
    log: silentLogger,
    nodeName: 'vm',
    root: '/',
  });
  const text = await provider.resourceMetrics();
  const labels = 'container="app",namespace="default",pod="web"';
  assert.ok(text.includes(`container_cpu_usage_seconds_total{${labels}} 2 ${AT}`), text);
  assert.ok(text.includes(`pod_memory_working_set_bytes{namespace="default",pod="web"} 20 ${AT}`), text);
});

test('Pods without a live sandbox use nothing', () => {
  const dead = { ...status, sandboxes: [makeSandbox({ ready: false })] };
  assert.deepEqual(
    podUsages({ sandboxes: [], containers: [] }, [pod], () => dead),
    [],
  );
});

test('the texts and the summary', () => {
  const containers = read({ stats: [containerStats('app-1', 2e9, 20)] });
  const usages = podUsages({ sandboxes: [], containers }, [pod], () => status);
  const text = resourceMetrics(AT, machine, usages);
  assert.match(
    text,
    /^container_cpu_usage_seconds_total\{container="app",namespace="default",pod="web"\} 2 1700000000000$/m,
  );
  assert.match(text, /^pod_memory_working_set_bytes\{namespace="default",pod="web"\} 20 1700000000000$/m);
  assert.match(text, /^node_cpu_usage_seconds_total 5 1700000000000$/m);
  assert.match(
    cadvisorMetrics(AT, { ...machine, cpus: 2, memoryBytes: 1000 }, usages),
    /^container_memory_working_set_bytes\{container="app",.*,namespace="default",pod="web"\} 20 1700000000000$/m,
  );
  const images = { fileSystem, used: 100, inodes: 3 };
  const summary = summaryOf({ name: 'n', at: AT, machine, fileSystem, images }, usages, new UsageRates()) as {
    node: Record<string, unknown>;
    pods: Record<string, unknown>[];
  };
  assert.equal(summary.node['nodeName'], 'n');
  assert.deepEqual(summary.pods[0]?.['podRef'], { name: 'web', namespace: 'default', uid: 'uid-1' });
  assert.equal(summary.pods[0]?.['startTime'], '2023-11-14T22:13:00Z');
});

test('rates need two looks, survive a quick third, and begin anew with their counter', () => {
  const rates = new UsageRates();
  const look = (at: number, nanos: number): number | undefined => {
    const rate = rates.rate('a', { at, nanos });
    rates.finish();
    return rate;
  };
  assert.equal(look(0, 0), undefined);
  assert.equal(look(2000, 1e9), 5e8);
  assert.equal(look(2010, 1.1e9), 5e8);
  assert.equal(look(4000, 1e9 + 2e9), 1e9);
  assert.equal(look(5000, 7), undefined, 'restarted');
  rates.finish();
  assert.equal(look(6000, 8), undefined, 'forgotten');
});

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Benchmark, Figure } from '../../packaging/dev/lib/benchmark.ts';
import { mustRun } from '../../packaging/dev/lib/command.ts';
import { HostCluster } from '../e2e/lib/host-cluster.ts';
import { type Host, Lan } from '../e2e/lib/hosts.ts';
import { EXECUTABLE } from '../e2e/lib/kedge.ts';
import { deployment } from '../e2e/lib/manifests.ts';
import { Namespace } from '../e2e/lib/namespace.ts';
import { until } from '../e2e/lib/until.ts';
import { memoryOf, processorTimeOf } from './lib/process-usage.ts';

/** The cluster is left alone for this long before its memory is looked at. */
const IDLE_MS = 120_000;
/** Of that, what comes first is the start's own aftermath. */
const SETTLE_MS = 30_000;
const PODS = 20;
/** What an agent logs when its node is Ready. */
const READY = 'kedge agent is ready';

/** A server and two agents on hosts of their own: how soon they join, and what they need when nothing happens. */
export const benchmark: Benchmark = {
  name: 'Nodes',
  async run() {
    await readAgain(EXECUTABLE);
    const lan = await Lan.create('192.168.78');
    try {
      const server = await lan.addHost('server');
      const east = await lan.addHost('east');
      const west = await lan.addHost('west');
      const cluster = await HostCluster.at(server);
      server.startKedge(['server']);
      await cluster.waitForNodes(['server']);
      const token = readFileSync(server.path('/var/lib/kedge/server/token'), 'utf8').trim();
      const join = ['agent', '--server', `https://${server.address}:6443`, '--token', token];
      const joined = [await timeToReady(east, join), await timeToReady(west, join)];
      await west.kedge.stop();
      const again = await timeToReady(west, ['agent']);
      const hosts = [server, east, west];
      const idle = await idleFigures(hosts);
      await runPods(cluster);
      const loaded = hosts.map((host) => memoryOf(host.kedge.pid));
      const [ofServer, ...ofAgents] = loaded;
      return [
        {
          what: 'start of kedge agent → node Ready, the slower of two',
          measured: seconds(Math.max(...joined)),
          target: '≤ 6 s',
        },
        { what: 'the same, of a machine that has joined before', measured: seconds(again) },
        ...idle,
        {
          what: `with ${PODS} Pods: RSS of the server, and of the bigger agent`,
          measured: `${megabytes(ofServer?.rss ?? Number.NaN)}, ${megabytes(Math.max(...ofAgents.map(({ rss }) => rss)))}`,
        },
      ];
    } finally {
      await lan.close();
    }
  },
};

/**
 * Takes a file out of the page cache, so that it is read as after a boot. One that was written just now is kept in larger
 * pieces, and each that is touched counts as memory of the process with all of its size: some 20 MB in all.
 */
async function readAgain(file: string): Promise<void> {
  await mustRun('sync', [file]);
  await mustRun('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
}

async function timeToReady(host: Host, args: readonly string[]): Promise<number> {
  const before = host.log.split(READY).length;
  const begun = performance.now();
  host.startKedge(args);
  await until(
    `${host.name} is Ready`,
    () => {
      host.kedge.checkAlive();
      return host.log.split(READY).length > before;
    },
    { intervalMs: 10, timeoutMs: 60_000 },
  );
  return performance.now() - begun;
}

async function idleFigures(hosts: readonly Host[]): Promise<Figure[]> {
  await delay(SETTLE_MS);
  const pids = hosts.map((host) => host.kedge.pid);
  const before = pids.map((pid) => processorTimeOf(pid));
  const watched = IDLE_MS - SETTLE_MS;
  await delay(watched);
  const [ofServer = Number.NaN, ...ofAgents] = pids.map(
    (pid, index) => ((processorTimeOf(pid) - (before[index] ?? Number.NaN)) / watched) * 100,
  );
  const [server, ...agents] = pids.map((pid) => memoryOf(pid));
  const most = (key: 'rss' | 'anonymous'): string => megabytes(Math.max(...agents.map((agent) => agent[key])));
  return [
    { what: 'kedge agent, idle for 2 minutes: RSS, the bigger of two', measured: most('rss'), target: '≤ 100 MB' },
    { what: 'of that not file-backed', measured: most('anonymous') },
    {
      what: 'kedge server with two agents, idle: RSS',
      measured: megabytes(server?.rss ?? Number.NaN),
      target: '≤ 220 MB',
    },
    { what: 'of that not file-backed', measured: megabytes(server?.anonymous ?? Number.NaN) },
    {
      what: 'processor time, idle: the server, the busier agent',
      measured: `${ofServer.toFixed(2)} %, ${Math.max(...ofAgents).toFixed(2)} % of a core`,
      target: '≤ 1 %',
    },
  ];
}

/** Puts Pods on the nodes and waits until all are Ready. */
async function runPods(cluster: HostCluster): Promise<void> {
  const ns = await Namespace.create(cluster, 'load');
  await ns.apply(deployment('sleep', PODS, 'exec sleep 3600'));
  await ns.waitFor('deployment/sleep', '.status.readyReplicas', String(PODS), 120_000);
  await delay(SETTLE_MS);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

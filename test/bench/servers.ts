import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Benchmark, type Figure, percentiles } from '../../packaging/dev/lib/benchmark.ts';
import { ensureEtcd } from '../../packaging/dev/lib/etcd.ts';
import { AcknowledgedWrites } from '../e2e/lib/acknowledged.ts';
import { HostCluster } from '../e2e/lib/host-cluster.ts';
import { type Host, Lan } from '../e2e/lib/hosts.ts';
import { until } from '../e2e/lib/until.ts';
import { memoryOf } from './lib/process-usage.ts';

const ROUNDS = 5;
const IDLE_SECONDS = 30;
const NAMES = ['one', 'two', 'three'];
const DB = '/var/lib/kedge/server/db/etcd';
const TLS = '/var/lib/kedge/server/tls/etcd';

/** Three servers over etcd, each a node as well, on three machines of one network. */
export const benchmark: Benchmark = {
  name: 'Three servers',
  async run() {
    const env = { PATH: `${dirname(await ensureEtcd())}:${process.env['PATH']}` };
    const lan = await Lan.create();
    try {
      const hosts: Host[] = [];
      for (const name of NAMES) hosts.push(await lan.addHost(name));
      const joined = await startAll(hosts, env);
      return [...joined, ...(await measureMemory(hosts)), await measureLoss(hosts, env)];
    } finally {
      await lan.close();
    }
  },
};

async function startAll(hosts: readonly Host[], env: Readonly<Record<string, string>>): Promise<Figure[]> {
  const [first, ...others] = hosts as [Host, ...Host[]];
  first.startKedge(['server', '--cluster-init'], { env });
  const cluster = await HostCluster.at(first);
  await cluster.waitForNodes([first.name]);
  const token = readFileSync(first.path('/var/lib/kedge/server/token'), 'utf8').trim();
  const times: number[] = [];
  const names = [first.name];
  for (const host of others) {
    const begun = performance.now();
    host.startKedge(['server', '--server', `https://${first.address}:6443`, '--token', token], { env });
    names.push(host.name);
    await cluster.waitForNodes(names);
    times.push((performance.now() - begun) / 1000);
  }
  return [
    {
      what: 'a further server: start → its node Ready',
      measured: times.map((time) => `${time.toFixed(1)} s`).join(', '),
    },
  ];
}

async function measureMemory(hosts: readonly Host[]): Promise<Figure[]> {
  await delay(IDLE_SECONDS * 1000);
  const megabytes = (values: readonly number[]): string =>
    `${values.map((value) => (value / 1e6).toFixed(0)).join(', ')} MB`;
  const kedges = hosts.map((host) => memoryOf(host.kedge.pid));
  const etcds = hosts.map((host) => memoryOf(etcdPid(host), host.path('/proc')));
  return [
    {
      what: 'kedge server beside etcd, idle: RSS',
      measured: megabytes(kedges.map(({ rss }) => rss)),
      target: '≤ 220 MB',
    },
    { what: 'of that not file-backed', measured: megabytes(kedges.map(({ anonymous }) => anonymous)) },
    { what: 'its etcd: RSS', measured: megabytes(etcds.map(({ rss }) => rss)) },
  ];
}

/** kedge and etcd of the machine with etcd's leader are killed at once; the client tries another server after 50 ms. */
async function measureLoss(hosts: readonly Host[], env: Readonly<Record<string, string>>): Promise<Figure> {
  const pauses: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const leader = await until('etcd has a leader', async () => {
      for (const host of hosts) if (await leads(host)) return host;
      return undefined;
    });
    const others = hosts.filter((host) => host !== leader);
    const [near] = others;
    assert.ok(near !== undefined);
    const writes = new AcknowledgedWrites(near, `loss-${round}`, [...others, leader]);
    await until('some writes are acknowledged', () => writes.names.length > 20);
    const killed = Date.now();
    await Promise.all([leader.kedge.stop('SIGKILL'), leader.mustRun(['kill', '-9', String(etcdPid(leader))])]);
    await until('writes go on', () => writes.firstAfter(killed + 6_000), { timeoutMs: 60_000 });
    pauses.push(writes.longestGap(killed));
    writes.stop();
    leader.startKedge(['server'], { env });
    const cluster = await HostCluster.at(leader);
    await until(
      'the server is back',
      async () => (await cluster.kubectl(['get', '--raw', '/readyz', '--request-timeout=5s'])) === 'ok',
      { timeoutMs: 90_000 },
    );
  }
  const { p50 } = percentiles(pauses);
  return {
    what: `loss of the leader (kedge and etcd killed) → next write, p50 of ${ROUNDS}`,
    measured: `${(p50 / 1000).toFixed(1)} s, longest ${(Math.max(...pauses) / 1000).toFixed(1)} s`,
    target: '≤ 10 s',
  };
}

const etcdPid = (host: Host): number => JSON.parse(readFileSync(host.path(`${DB}/process.json`), 'utf8')).pid;

async function leads(host: Host): Promise<boolean> {
  const identity = ['--cacert', `${TLS}/server-ca.crt`, '--cert', `${TLS}/client.crt`, '--key', `${TLS}/client.key`];
  const metrics = await host.mustRun(['curl', '-s', ...identity, 'https://127.0.0.1:2379/metrics']);
  return /^etcd_server_is_leader 1$/m.test(metrics);
}

import assert from 'node:assert/strict';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureEtcd } from '../../packaging/dev/lib/etcd.ts';
import { AcknowledgedWrites } from './lib/acknowledged.ts';
import { HostCluster } from './lib/host-cluster.ts';
import { type Host, Lan } from './lib/hosts.ts';
import { EXECUTABLE } from './lib/kedge.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';
import { until } from './lib/until.ts';

/** How long nothing may be written when a server is lost. */
const MOST_PAUSE_MS = 10_000;
const SERVER = ['server', '--disable-agent'];

const isWithin = (part: ReadonlySet<string>, whole: ReadonlySet<string>): boolean =>
  [...part].every((each) => whole.has(each));

/** Three servers: any one of them may be lost. */
describe('three servers', () => {
  let machine: MachineState;
  let lan: Lan;
  let hosts: Host[];
  let env: Record<string, string>;
  let token: string;

  const join = (host: Host, ...flags: string[]): void => {
    const [first] = hosts;
    const args = [...SERVER, '--server', `https://${first?.address}:6443`, '--token', token, ...flags];
    host.startKedge(args, { env });
  };
  const isReady = async (host: Host): Promise<boolean> => {
    host.kedge.checkAlive();
    const cluster = await HostCluster.at(host);
    return (await cluster.kubectl(['get', '--raw', '/readyz', '--request-timeout=5s'])) === 'ok';
  };
  const waitReady = (host: Host) =>
    until(`the API of ${host.name} is ready`, () => isReady(host), { timeoutMs: 90_000 });
  const configMaps = async (host: Host): Promise<Set<string>> => {
    const cluster = await HostCluster.at(host);
    return new Set(
      (await cluster.kubectl(['get', 'configmap', '-o', 'name'])).split('\n').map((name) => name.slice(10)),
    );
  };
  const endpoints = async (host: Host): Promise<string> =>
    (await HostCluster.at(host)).kubectl([
      ...['get', 'endpointslice', 'kubernetes', '-o', 'jsonpath={.endpoints[*].addresses[0]}'],
    ]);
  /** Ends etcd and kedge of a host as a power cut would. */
  const kill = async (host: Host): Promise<void> => {
    const record = JSON.parse(readFileSync(host.path('/var/lib/kedge/server/db/etcd/process.json'), 'utf8'));
    await Promise.all([host.kedge.stop('SIGKILL'), host.mustRun(['kill', '-9', String(record.pid)])]);
  };

  before(async () => {
    machine = await readMachine();
    env = { PATH: `${dirname(await ensureEtcd())}:${process.env['PATH']}` };
    lan = await Lan.create();
    hosts = [];
    for (const name of ['one', 'two', 'three']) hosts.push(await lan.addHost(name));
  });
  after(async () => {
    await lan?.close();
    if (machine !== undefined) await assertNothingLeft(machine);
  });

  test('a single server becomes the first of several, with its data', async () => {
    const [one] = hosts as [Host];
    one.startKedge(SERVER);
    await waitReady(one);
    const cluster = await HostCluster.at(one);
    await cluster.kubectl(['create', 'configmap', 'before', '--from-literal=a=b']);
    const saved = await one.mustRun([EXECUTABLE, 'snapshot', 'save']);
    await cluster.kubectl(['create', 'configmap', 'unsaved']);
    const refused = await one.run([EXECUTABLE, 'snapshot', 'restore', saved.split(' ')[0] ?? '']);
    assert.match(refused.output, /kedge runs: stop it first/);
    await one.kedge.stop();
    await one.mustRun([EXECUTABLE, 'snapshot', 'restore', saved.split(' ')[0] ?? '']);
    one.startKedge([...SERVER, '--cluster-init'], { env });
    await waitReady(one);
    assert.ok(!(await configMaps(one)).has('unsaved'), 'the snapshot is what counts');
    assert.equal(await cluster.kubectl(['get', 'configmap', 'before', '-o', 'jsonpath={.data.a}']), 'b');
    token = readFileSync(one.path('/var/lib/kedge/server/token'), 'utf8').trim();
  });

  test('servers join; one that is set otherwise, or has the wrong token, is refused', async () => {
    const [one, two, three] = hosts as [Host, Host, Host];
    join(two, '--cluster-cidr=10.99.0.0/16');
    assert.equal(await two.kedge.ends(), 1);
    assert.match(two.log, /--cluster-cidr is 10\.99\.0\.0\/16 here but 10\.42\.0\.0\/16 there/);
    two.startKedge([...SERVER, '--server', `https://${one.address}:6443`, '--token', `${token}x`], { env });
    assert.equal(await two.kedge.ends(), 1);
    assert.match(two.log, /does not know the token/);
    join(two);
    await waitReady(two);
    await until('two servers are warned of', () => /two servers have no spare/.test(two.log));
    join(three);
    await waitReady(three);
    const addresses = hosts.map(({ address }) => address).join(' ');
    await until('the endpoints are those of all servers', async () => (await endpoints(one)) === addresses);
    assert.ok((await configMaps(three)).has('before'));
  });

  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    test(`server ${name} is killed with its etcd: writes go on, nothing is lost, and it comes back`, async (t) => {
      const victim = hosts[index] as Host;
      const others = hosts.filter((host) => host !== victim);
      const [near] = others as [Host];
      const writes = new AcknowledgedWrites(near, `killed-${name}`, [victim, ...others]);
      t.after(() => writes.stop());
      await until('some writes are acknowledged', () => writes.names.length > 20);
      const killed = Date.now();
      await kill(victim);
      await until('writes go on', () => writes.firstAfter(killed + 1_000), { timeoutMs: 30_000 });
      await delay(2_000);
      const gap = writes.longestGap(killed);
      assert.ok(gap < MOST_PAUSE_MS, `no write for ${gap} ms`);
      t.diagnostic(`longest pause ${gap} ms`);
      writes.stop();
      const acknowledged = [...writes.names];
      for (const host of others) {
        const there = await configMaps(host);
        assert.deepEqual(
          acknowledged.filter((each) => !there.has(each)),
          [],
          `at ${host.name}`,
        );
      }
      await until(
        'the endpoints are those of the living',
        async () => (await endpoints(near)) === others.map(({ address }) => address).join(' '),
      );
      if (name === 'two') {
        victim.startKedge([...SERVER, '--disable=servicelb'], { env });
        assert.equal(await victim.kedge.ends(), 1);
        assert.match(
          victim.log,
          /kedge: this server is set otherwise than the server (one|three): --disable is servicelb/,
        );
      }
      victim.startKedge(SERVER, { env });
      await waitReady(victim);
      const there = await configMaps(victim);
      assert.deepEqual(
        acknowledged.filter((each) => !there.has(each)),
        [],
        'at the one that came back',
      );
    });
  }

  test('a server is cut off: the others go on, it does not acknowledge, and it follows when it is back', async (t) => {
    const [one, two, three] = hosts as [Host, Host, Host];
    const writes = new AcknowledgedWrites(one, 'cut', [three, one, two]);
    t.after(() => writes.stop());
    await until('some writes are acknowledged', () => writes.names.length > 20);
    const cut = Date.now();
    await three.cutOff();
    await until('writes go on', () => writes.firstAfter(cut + 3_000), { timeoutMs: 30_000 });
    const gap = writes.longestGap(cut);
    assert.ok(gap < MOST_PAUSE_MS, `no write for ${gap} ms`);
    t.diagnostic(`longest pause ${gap} ms`);
    const alone = await (await HostCluster.at(three)).tryKubectl([
      ...['create', 'configmap', 'alone', '--request-timeout=6s'],
    ]);
    assert.notEqual(alone.code, 0);
    writes.stop();
    await three.bringBack();
    const acknowledged = [...writes.names];
    await until('the server has followed', async () => {
      const there = await configMaps(three);
      return acknowledged.every((name) => there.has(name));
    });
  });

  test('a server whose etcd has damaged or lost its data is refused, and gets it from the others', async () => {
    const [one, two, three] = hosts as [Host, Host, Host];
    const db = '/var/lib/kedge/server/db';
    const lastLine = (): string => three.log.trim().split('\n').at(-1) ?? '';
    await three.kedge.stop();
    truncateSync(three.path(`${db}/etcd/member-data/member/snap/db`), 5_000);
    three.startKedge(SERVER, { env });
    assert.equal(await three.kedge.ends(), 1);
    assert.match(
      lastLine(),
      /^kedge: etcd's data in .* is damaged \(.*\): move .* away and start with --server .*snapshot/,
    );
    rmSync(three.path(`${db}/etcd/member-data`), { recursive: true });
    three.startKedge(SERVER, { env });
    assert.equal(await three.kedge.ends(), 1);
    assert.match(lastLine(), /^kedge: etcd's data is missing in .*: put it back, or delete .* and start with --server/);
    rmSync(three.path(`${db}/etcd`), { recursive: true });
    join(three);
    await waitReady(three);
    const known = await configMaps(one);
    await until('it has all data', async () => isWithin(known, await configMaps(three)));
    await until('three servers vote', () => /this server was a member before and has lost its data/.test(three.log));
    await waitReady(two);
  });

  test('a snapshot is put in place of the data of three servers', async () => {
    const [one, two, three] = hosts as [Host, Host, Host];
    const saved = (await two.mustRun([EXECUTABLE, 'snapshot', 'save', 'three'])).split(' ')[0] ?? '';
    const cluster = await HostCluster.at(one);
    await cluster.kubectl(['create', 'configmap', 'after-the-snapshot']);
    await Promise.all(hosts.map((host) => host.kedge.stop()));
    const copied = '/run/three.kedge-snapshot';
    writeFileSync(one.path(copied), readFileSync(two.path(saved)));
    assert.match(await one.mustRun([EXECUTABLE, 'snapshot', 'restore', copied], { env }), /is restored/);
    one.startKedge(SERVER, { env });
    await waitReady(one);
    const restored = await configMaps(one);
    assert.ok(restored.has('before') && !restored.has('after-the-snapshot'));
    for (const host of [two, three]) {
      rmSync(host.path('/var/lib/kedge/server/db'), { recursive: true });
      join(host);
      await waitReady(host);
      assert.deepEqual(await configMaps(host), restored);
    }
  });

  test('two of three are lost for good: the third becomes a cluster of one, and others join it', async () => {
    const [one, two, three] = hosts as [Host, Host, Host];
    const known = await configMaps(one);
    await Promise.all([kill(two), kill(three)]);
    await one.kedge.stop();
    const told = await one.run([EXECUTABLE, ...SERVER, '--cluster-reset'], { env });
    assert.equal(told.code, 0, told.output);
    assert.match(told.output, /is the only member of its cluster: start it without --cluster-reset/);
    one.startKedge(SERVER, { env });
    await waitReady(one);
    assert.deepEqual(await configMaps(one), known);
    rmSync(two.path('/var/lib/kedge/server/db'), { recursive: true });
    join(two);
    await waitReady(two);
    await until('it has all data', async () => isWithin(known, await configMaps(two)));
  });
});

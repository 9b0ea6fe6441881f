import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { HostCluster } from './lib/host-cluster.ts';
import { type Host, Lan } from './lib/hosts.ts';
import { EXECUTABLE } from './lib/kedge.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';
import { pod, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';

const DATA_DIR = '/var/lib/kedge';
const LEASES = '/run/kedge/cni/kedge';

/** What servers and nodes refuse or run out of: each is told of in one line, and nothing is half done. */
describe('refusals', () => {
  let machine: MachineState;
  let lan: Lan;
  let server: Host;
  let other: Host;
  let cluster: HostCluster;

  before(async () => {
    machine = await readMachine();
    lan = await Lan.create();
    server = await lan.addHost('server');
    other = await lan.addHost('other');
    cluster = await HostCluster.at(server);
  });
  after(async () => {
    await lan?.close();
    if (machine !== undefined) await assertNothingLeft(machine);
  });

  async function refused(host: Host, message: RegExp, ...args: readonly string[]): Promise<void> {
    const result = await host.run(['timeout', '30', EXECUTABLE, ...args]);
    assert.match(result.output, message);
    assert.match(result.output, /^kedge: [^\n]+\n$/, 'is one line');
    assert.equal(result.code, 1);
  }

  function files(host: Host, folder: string): string[] {
    return readdirSync(host.path(folder), { recursive: true, encoding: 'utf8' }).sort();
  }

  test("another product's data directory, a foreign one, that of a newer kedge: each is left as it is", async () => {
    const cases: readonly [name: string, file: string, text: string, message: RegExp][] = [
      ['k3s', 'server/cred/passwd', '', /k3s is the data directory of k3s, .*--data-dir/],
      ['etc', 'passwd', '', /etc holds files of something else \(passwd\): .*--data-dir/],
      [
        'newer',
        'kedge.json',
        '{"kedge":"data","format":1,"version":"99.1.0"}',
        /last used by kedge 99\.1\.0, .*older: install/,
      ],
      ['garbage', 'server/db/state.db', 'x'.repeat(4096), /state\.db is not a kedge datastore, or it is corrupted/],
    ];
    for (const [name, file, text, message] of cases) {
      const folder = join('/run', name);
      mkdirSync(dirname(other.path(join(folder, file))), { recursive: true });
      writeFileSync(other.path(join(folder, file)), text);
      const before = files(other, folder);
      await refused(other, message, 'server', '--data-dir', folder);
      if (name !== 'garbage') {
        const joining = ['--server', `https://${lan.prefix}.99:6443`, '--token', 'x'];
        await refused(other, message, 'agent', '--data-dir', folder, ...joining);
        await refused(other, message, 'snapshot', 'restore', '--data-dir', folder, 'x');
        await refused(other, message, 'uninstall', '--data-dir', folder);
      }
      assert.deepEqual(files(other, folder), before);
    }
    await refused(other, /\/etc\/passwd is no folder: .*--data-dir/, 'server', '--data-dir', '/etc/passwd');
  });

  test('addresses of the cluster that are in use here', async () => {
    const near = `${lan.prefix}.0/24`;
    for (const flags of [[], ['--disable-agent']]) {
      await refused(
        other,
        /--cluster-cidr .* overlaps .*eth0.*another --cluster-cidr/,
        'server',
        '--cluster-cidr',
        near,
        ...flags,
      );
    }
    await refused(other, /--service-cidr .* overlaps .*eth0.*another --service-cidr/, 'server', '--service-cidr', near);
    await refused(other, /--node-ip: 10\.42\.0\.7 lies inside --cluster-cidr/, 'server', '--node-ip', '10.42.0.7');
    await refused(other, /overlaps the service CIDR/, 'server', '--cluster-cidr', '10.43.0.0/16');
    assert.ok(!existsSync(other.path(join(DATA_DIR, 'server'))));
  });

  test('a snapshot of another cluster, and files that are none', async () => {
    server.startKedge(['server', '--cluster-cidr', '10.44.0.0/24']);
    await cluster.waitForNodes(['server']);
    const listed = async (): Promise<string> => (await server.mustRun([EXECUTABLE, 'snapshot', 'list'])).trim();
    assert.equal(await listed(), 'There are no snapshots on this server.');
    const saved = (await server.mustRun([EXECUTABLE, 'snapshot', 'save', 'mine'])).split(' ')[0] ?? '';
    assert.match(saved, /\/server\/db\/snapshots\/mine-.*\.kedge-snapshot$/);
    assert.match(await listed(), /^mine-\S+\t20\d\d-\S+\t\d+ bytes\t\/var\/lib\/kedge\/server\/db\/snapshots\/mine-/);
    await refused(server, /kedge runs: stop it first/, 'snapshot', 'restore', saved);
    await refused(
      server,
      /there is no snapshot none on this server: `kedge snapshot list`/,
      'snapshot',
      'delete',
      'none',
    );

    other.startKedge(['server', '--disable-agent']);
    await until('the other cluster is up', () => /kedge server is ready/.test(other.log), { timeoutMs: 90_000 });
    await other.kedge.stop();
    const otherwise = ['server', '--disable-agent', '--service-cidr', '10.56.0.0/16'];
    const result = await other.run(['timeout', '60', EXECUTABLE, ...otherwise]);
    assert.match(result.output, /kedge: --service-cidr is 10\.56\.0\.0\/16, .*\(10\.43\.0\.1\): give the value/);
    assert.equal(result.code, 1);
    writeFileSync(other.path('/run/foreign'), readFileSync(server.path(saved)));
    writeFileSync(other.path('/run/none'), 'nothing');
    const bytes = readFileSync(server.path(saved));
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100);
    writeFileSync(other.path('/run/damaged'), bytes);
    const restore = ['snapshot', 'restore'];
    await refused(
      other,
      /is a snapshot of another cluster \(.*\); this server is one of .*: name a snapshot of this one/,
      ...restore,
      '/run/foreign',
    );
    await refused(other, /is no snapshot of kedge/, ...restore, '/run/none');
    await refused(other, /is damaged \(its hash is wrong\): take another one/, ...restore, '/run/damaged');
    await refused(other, /cannot be read: name one that `kedge snapshot list` shows/, ...restore, '/run/missing');
    assert.ok(!readdirSync(other.path(join(DATA_DIR, 'server/db'))).some((name) => /restor/.test(name)));
    rmSync(other.path(join(DATA_DIR, 'server')), { recursive: true });

    const [name = ''] = (await listed()).split('\t');
    await server.mustRun([EXECUTABLE, 'snapshot', 'delete', name]);
    assert.equal(await listed(), 'There are no snapshots on this server.');
  });

  test('no block of Pod addresses is left for a node', async () => {
    const token = readFileSync(server.path(join(DATA_DIR, 'server/token')), 'utf8').trim();
    const joining = ['agent', '--server', `https://${server.address}:6443`, '--token', token];
    const near = ['10.44.0.200/28', 'dev', 'eth0'];
    await other.mustRun(['ip', 'address', 'add', ...near]);
    await refused(
      other,
      /--cluster-cidr 10\.44\.0\.0\/24 overlaps 10\.44\.0\.192\/28, .* eth0: start the first server/,
      ...joining,
    );
    assert.ok(!existsSync(other.path(join(DATA_DIR, 'agent/cluster.json'))));
    await other.mustRun(['ip', 'address', 'delete', ...near]);
    other.startKedge(joining);
    const events = ['get', 'events', '-A', '--field-selector=involvedObject.name=other,reason=CIDRNotAvailable'];
    const told = await until('the node tells of it', async () => {
      const text = await cluster.kubectl([...events, '-o', 'jsonpath={.items[*].message}']);
      return text !== '' && text;
    });
    assert.match(
      told,
      /gets no Pod addresses: every block of 10\.44\.0\.0\/24 is taken; delete Nodes .* --cluster-cidr/,
    );
    assert.match(server.log, /gets no Pod addresses/);
    const reason = '{.status.conditions[?(@.type=="NetworkUnavailable")].reason}';
    await until(
      'its condition says so, too',
      async () => (await cluster.kubectl(['get', 'node', 'other', '-o', `jsonpath=${reason}`])) === 'CIDRNotAvailable',
    );
    await other.kedge.stop();
    await cluster.kubectl(['delete', 'node', 'other']);
  });

  test('no Pod address is left on a node', async () => {
    const folder = server.path(LEASES);
    mkdirSync(folder, { recursive: true });
    const taken: string[] = [];
    for (let last = 2; last < 255; last++) {
      const path = join(folder, `10.44.0.${last}`);
      if (existsSync(path)) continue;
      writeFileSync(path, 'someone\r\neth0');
      taken.push(path);
    }
    const ns = await Namespace.create(cluster, 'full');
    await ns.apply(pod('late', { containers: [shell('main', 'exec sleep 3600')] }));
    const events = ['events', '--field-selector=involvedObject.name=late,reason=FailedCreatePodSandBox'];
    const told = await until('the Pod tells of it', async () => {
      const text = await ns.kubectl('get', ...events, '-o', 'jsonpath={.items[0].message}');
      return text !== '' && text;
    });
    assert.match(
      told,
      /^Failed to create pod sandbox: .*no IP addresses available in range set: 10\.44\.0\.1-10\.44\.0\.254/,
    );
    assert.equal(await ns.read('pod/late', '.status.phase'), 'Pending');
    for (const path of taken) rmSync(path);
    await ns.waitReady('late');
  });
});

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type CommandResult, run } from '../../packaging/dev/lib/command.ts';
import { EXECUTABLE } from './lib/kedge.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';

/** What somebody sees who calls the executable: help, version, and one line for everything that cannot be. */
describe('kedge on the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-cli-'));
  const dataDir = join(folder, 'data');
  let machine: MachineState;

  before(async () => {
    machine = await readMachine();
  });
  after(() => rmSync(folder, { recursive: true }));

  function kedge(...args: string[]): Promise<CommandResult> {
    return run(EXECUTABLE, args, { cwd: folder });
  }

  function server(...flags: string[]): Promise<CommandResult> {
    const own = ['--data-dir', dataDir, '--write-kubeconfig', join(folder, 'kedge.yaml')];
    return kedge('server', ...own, ...flags);
  }

  async function assertRefused(result: CommandResult, message: RegExp): Promise<void> {
    assert.match(result.output, message);
    assert.match(result.output, /^kedge: [^\n]+\n$/, 'is one line');
    assert.equal(result.stdout, '');
    assert.equal(result.code, 1);
    assert.ok(!existsSync(dataDir), 'no data directory is made');
    await assertNothingLeft(machine);
  }

  test('--version', async () => {
    const result = await kedge('--version');
    assert.equal(result.code, 0);
    assert.match(
      result.output,
      /^kedge version v\d+\.\d+\.\d+ \(Kubernetes v1\.36\.\d+\)\nnode version v24\.\d+\.\d+\n$/,
    );
  });

  test('--help, help and no argument at all show the same help', async () => {
    const result = await kedge('--help');
    assert.equal(result.code, 0);
    assert.match(result.stdout, /^Usage: kedge /);
    assert.match(result.stdout, /server \[options\] +run the control plane/);
    for (const args of [['help'], []]) assert.deepEqual(await kedge(...args), result);
  });

  test('server --help shows defaults and variables', async () => {
    const result = await kedge('server', '--help');
    assert.equal(result.code, 0);
    assert.match(result.stdout, /--cluster-cidr <cidr> .*\(default: 10\.42\.0\.0\/16\) \[KEDGE_CLUSTER_CIDR\]/);
    assert.match(result.stdout, /--data-dir <dir> .*\(default: \/var\/lib\/kedge\) \[KEDGE_DATA_DIR\]/);
  });

  test('what is unknown is refused with what was probably meant', async () => {
    await assertRefused(
      await server('--clustr-cidr', '10.0.0.0/16'),
      /unknown flag --clustr-cidr: did you mean --cluster-cidr\?/,
    );
    await assertRefused(await kedge('agent', '--tls-san', 'a'), /unknown flag --tls-san: it is one of `kedge server`/);
    await assertRefused(await kedge('sever'), /unknown command "sever": did you mean "server"\?/);
    await assertRefused(await server('--cluster-cidr'), /--cluster-cidr needs a value/);
    await assertRefused(await server('now'), /unexpected argument "now"/);
  });

  test('bad values', async () => {
    await assertRefused(
      await server('--cluster-cidr', '10.42.0.0/40'),
      /--cluster-cidr: "10.42.0.0\/40" is not a CIDR block/,
    );
    await assertRefused(await server('--cluster-cidr', '10.43.0.0/16'), /overlaps the service CIDR/);
    await assertRefused(await server('--cluster-dns', '10.99.0.1'), /lies outside the service CIDR/);
  });

  test('bad config files', async () => {
    const file = join(folder, 'config.yaml');
    await assertRefused(
      await server('--config', join(folder, 'none.yaml')),
      /cannot read config file .*none\.yaml: there is no such file/,
    );
    writeFileSync(file, 'debug: true\nservice-cdir: 10.0.0.0/16\n');
    await assertRefused(
      await server('--config', file),
      /config\.yaml:2: unknown key "service-cdir": did you mean "service-cidr"\?/,
    );
    writeFileSync(file, 'tls-san: [a\n');
    await assertRefused(await server('--config', file), /config\.yaml:\d: not valid YAML/);
  });

  test('without root', async () => {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', EXECUTABLE, 'server', '--data-dir', dataDir];
    const result = await run('setpriv', nobody, { cwd: '/' });
    await assertRefused(result, /needs root/);
  });

  test('a mode of the Service proxy that the kernel cannot do', async (context) => {
    await run('modprobe', ['ip_vs']);
    if (existsSync('/proc/net/ip_vs')) {
      context.skip('this kernel has IPVS');
      return;
    }
    const result = await server('--proxy-mode', 'ipvs');
    await assertRefused(result, /--proxy-mode=ipvs: this kernel has no IPVS .*or use --proxy-mode=nftables/);
    await assertRefused(await server('--proxy-mode', 'iptables'), /--proxy-mode/);
  });

  test('a busy port', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '0.0.0.0', resolve));
    try {
      const address = other.address();
      assert.ok(typeof address === 'object' && address !== null);
      const result = await server('--https-listen-port', String(address.port));
      await assertRefused(result, new RegExp(`port ${address.port}`));
    } finally {
      other.close();
    }
  });
});

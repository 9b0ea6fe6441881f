import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ensureNamedPackages } from '../../packaging/dev/lib/apt.ts';
import { type CommandResult, mustRun, run } from '../../packaging/dev/lib/command.ts';
import { ROOT } from '../../packaging/dev/lib/project.ts';
import { buildAptRepository, sourceLine } from '../../packaging/package/apt-repository.ts';
import { buildDeb, debName } from '../../packaging/package/deb.ts';
import { buildRelease } from '../../packaging/package/release.ts';
import { VERSION } from '../../pkg/base/version.ts';
import { EXECUTABLE } from './lib/kedge.ts';
import { OwnMachine } from './lib/own-machine.ts';
import { until } from './lib/until.ts';

const NEXT = `${VERSION}+next`;
const EPOCH = 1_700_000_000;
const ARCH = process.arch === 'x64' ? 'amd64' : 'arm64';
const MANUAL = 'usr/share/man/man8/kedge.8.gz';
const URL = 'http://127.0.0.1:8000';
const APT = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'Dpkg::Use-Pty=0'];

/** What people install: the Debian package by apt, and the executable by install.sh. */
describe('installing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-package-'));
  const gnupg = join(folder, 'gnupg');
  const served = join(folder, 'served');
  let deb: string;
  let machine: OwnMachine;

  const build = (version: string | undefined, name: string): Promise<string> =>
    buildDeb({
      arch: ARCH,
      executable: EXECUTABLE,
      epoch: EPOCH,
      compression: 'fast',
      folder: join(folder, name),
      ...(version === undefined ? {} : { version }),
    });

  before(async () => {
    await ensureNamedPackages(['apt-utils', 'lintian', 'gpg', 'gpg-agent', 'man-db']);
    deb = await build(undefined, 'packages');
    mkdirSync(gnupg, { mode: 0o700 });
    process.env['GNUPGHOME'] = gnupg;
    const identity = ['--quick-generate-key', 'kedge test <test@kedge.dev>', 'ed25519', 'sign', 'never'];
    await mustRun('gpg', ['--batch', '--quiet', '--passphrase', '', ...identity]);
    await buildAptRepository({ folder: join(served, 'apt'), debs: [deb], key: 'test@kedge.dev' });
    buildRelease({ arch: ARCH, executable: EXECUTABLE, deb, folder: join(served, 'release'), url: undefined });
    machine = await OwnMachine.start();
    mkdirSync(machine.path('/srv'), { recursive: true });
    // The temporary folder of this machine is not that one's.
    await mustRun('cp', ['-r', served, machine.path('/srv/kedge')]);
    machine.spawn(['busybox', 'httpd', '-f', '-p', '127.0.0.1:8000', '-h', '/srv/kedge']);
    await until('files are served', () => machine.mustRun(['curl', '-sf', `${URL}/release/stable`]));
  });
  after(async () => {
    await machine?.end();
    await run('gpgconf', ['--kill', 'all']);
    rmSync(folder, { recursive: true, force: true });
  });

  test('the same input makes the same package', async () => {
    const again = await build(undefined, 'again');
    assert.ok(readFileSync(deb).equals(readFileSync(again)));
  });

  test('lintian has nothing to say', async () => {
    const result = await run('lintian', ['--fail-on', 'error,warning', '--allow-root', deb]);
    assert.equal(result.code, 0, result.output);
  });

  test('the manual page can be read', async () => {
    const page = await run('man', ['--warnings', '--local-file', join(ROOT, 'build', 'deb', ARCH, MANUAL)]);
    assert.match(page.output, /kedge - Kubernetes for the edge/);
    assert.doesNotMatch(page.output, /warning/);
  });

  describe('by apt', () => {
    const changed = (): Promise<string[]> => machine.changedFiles();

    before(async () => {
      const keyring = 'apt/kedge-archive-keyring.gpg';
      mkdirSync(machine.path('/usr/share/keyrings'), { recursive: true });
      await machine.mustRun(['cp', `/srv/kedge/${keyring}`, '/usr/share/keyrings/']);
      writeFileSync(machine.path('/etc/apt/kedge.list'), `${sourceLine(`${URL}/apt`, true)}\n`);
    });

    const apt = (...args: readonly string[]): Promise<CommandResult> => {
      const sources = ['-o', 'Dir::Etc::SourceList=/etc/apt/kedge.list', '-o', 'Dir::Etc::SourceParts=/dev/null'];
      return machine.run([...APT, ...sources, '-o', 'APT::Install-Recommends=false', ...args]);
    };
    const mustApt = async (...args: readonly string[]): Promise<void> => {
      const result = await apt(...args);
      assert.equal(result.code, 0, result.output);
      assert.doesNotMatch(result.output, /^(W|E): /m);
    };

    test('install, from a signed repository', async () => {
      await mustApt('update');
      await mustApt('install', '-y', 'kedge');
      assert.match(await machine.mustRun(['kedge', '--version']), new RegExp(`^kedge version v${VERSION} `));
      const modes = await machine.mustRun([
        'stat',
        '-c',
        '%a %U %n',
        '/etc/kedge/kedge.env',
        '/etc/kedge',
        '/usr/bin/kedge',
      ]);
      assert.equal(modes, '600 root /etc/kedge/kedge.env\n755 root /etc/kedge\n755 root /usr/bin/kedge\n');
      const units = ['kedge.service', 'kedge-agent.service'];
      const verified = await machine.run(['systemd-analyze', 'verify', '--man=no', ...units]);
      assert.equal(verified.output, '');
      // Nothing is started before the machine has been set up.
      const enabled = await machine.run(['systemctl', 'is-enabled', ...units]);
      assert.equal(enabled.stdout, 'disabled\ndisabled\n');
      assert.equal((await machine.run(['dpkg', '--verify', 'kedge'])).output, '');
    });

    test('upgrade, which keeps what was configured', async () => {
      const environment = machine.path('/etc/kedge/kedge.env');
      writeFileSync(environment, 'KEDGE_TOKEN=mine\n');
      const next = await build(NEXT, 'next');
      await buildAptRepository({ folder: join(served, 'apt'), debs: [next], key: 'test@kedge.dev' });
      await mustRun('cp', ['-r', join(served, 'apt'), machine.path('/srv/kedge')]);
      await mustApt('update');
      await mustApt('install', '-y', '--only-upgrade', 'kedge');
      assert.match(await machine.mustRun(['dpkg', '-s', 'kedge']), new RegExp(`^Version: ${VERSION}.next$`, 'm'));
      assert.equal(readFileSync(environment, 'utf8'), 'KEDGE_TOKEN=mine\n');
    });

    test('a changed package is refused', async () => {
      const file = machine.path(`/srv/kedge/apt/pool/main/k/kedge/${debName(ARCH)}`);
      writeFileSync(file, 'something else');
      await mustApt('clean');
      const result = await apt('install', '-y', '--allow-downgrades', '--reinstall', `kedge=${VERSION}`);
      assert.notEqual(result.code, 0);
    });

    test('remove keeps the data, purge leaves nothing', async () => {
      mkdirSync(machine.path('/var/lib/kedge/agent/kubelet/pods/11-22'), { recursive: true });
      writeFileSync(machine.path('/var/lib/kedge/kept'), '');
      mkdirSync(machine.path('/var/log/pods/default_web_11-22/web'), { recursive: true });
      writeFileSync(machine.path('/var/log/pods/default_web_11-22/web/0.log'), '');
      // A data directory by setting, in a folder with something else.
      writeFileSync(machine.path('/etc/kedge/config.yaml'), 'data-dir: "/srv/disk"\n');
      for (const path of ['/srv/disk/agent/etc', '/srv/disk/server/db', '/srv/disk/photos']) {
        mkdirSync(machine.path(path), { recursive: true });
      }
      await machine.mustRun(['systemctl', 'enable', 'kedge']);
      await mustApt('remove', '-y', 'kedge');
      assert.equal(
        await machine.mustRun(['ls', '/var/lib/kedge/kept', '/etc/kedge/kedge.env']),
        '/etc/kedge/kedge.env\n/var/lib/kedge/kept\n',
      );
      await mustApt('purge', '-y', 'kedge');
      await machine.mustRun(['rm', '/usr/share/keyrings/kedge-archive-keyring.gpg']);
      assert.deepEqual(
        (await changed()).filter((path) => !path.startsWith('/srv/')),
        [],
      );
      assert.ok(!existsSync(machine.path('/var/log/pods/default_web_11-22')));
      assert.equal(await machine.mustRun(['ls', '/srv/disk']), 'photos\n');
    });
  });

  describe('by install.sh', () => {
    const program = '/usr/local/bin/kedge';
    const unit = '/etc/systemd/system/kedge.service';
    const environment = '/etc/kedge/kedge.env';

    function install(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<CommandResult> {
      const pipe = `curl -sfL ${URL}/release/install.sh | sh -s - "$@"`;
      const variables = { INSTALL_KEDGE_DOWNLOAD_URL: `${URL}/release`, INSTALL_KEDGE_SKIP_START: 'true', ...env };
      // Without the variables of this test's own.
      const own = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
      return machine.run(['env', '-i', `PATH=${process.env['PATH']}`, ...own, 'sh', '-c', pipe, 'sh', ...args]);
    }
    async function mustInstall(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> {
      const result = await install(env, ...args);
      assert.equal(result.code, 0, result.output);
      return result.output;
    }
    async function assertRefused(result: Promise<CommandResult>, message: RegExp): Promise<void> {
      const { code, output } = await result;
      assert.equal(code, 1, output);
      assert.match(output, message);
      assert.deepEqual(
        (await machine.changedFiles()).filter((path) => !path.startsWith('/srv/')),
        [],
      );
    }

    test('what cannot be is refused in one line, and nothing is installed', async () => {
      await assertRefused(install({ INSTALL_KEDGE_DOWNLOAD_URL: '' }), /^\[ERROR\] set INSTALL_KEDGE_DOWNLOAD_URL/m);
      await assertRefused(install({ INSTALL_KEDGE_VERSION: 'v9.9.9' }), /^\[ERROR\] there is no release v9\.9\.9/m);
      await assertRefused(install({ KEDGE_URL: 'https://server:6443' }), /^\[ERROR\] an agent needs the token/m);
      await assertRefused(install({}, 'sever'), /^\[ERROR\] unknown command "sever"/m);
    });

    test('a damaged download is refused', async () => {
      const file = machine.path(`/srv/kedge/release/v${VERSION}/kedge-linux-${ARCH}`);
      const good = readFileSync(file);
      writeFileSync(file, good.subarray(0, 1000));
      await assertRefused(install({}), /^\[ERROR\] the download is damaged/m);
      writeFileSync(file, good);
    });

    test('a server', async () => {
      await mustInstall(
        { KEDGE_TOKEN: 'it\'s "$ecret"', INSTALL_KEDGE_EXEC: `--disable=coredns --node-label 'a=b c'` },
        '--tls-san',
        '50% $HOME',
      );
      assert.match(await machine.mustRun([program, '--version']), new RegExp(`^kedge version v${VERSION} `));
      const text = readFileSync(machine.path(unit), 'utf8');
      assert.match(
        text,
        /^ExecStart=\/usr\/local\/bin\/kedge "server" "--disable=coredns" "--node-label" "a=b c" "--tls-san" "50%% \$\$HOME"$/m,
      );
      assert.equal(await machine.mustRun(['stat', '-c', '%a %U', environment]), '600 root\n');
      assert.equal(readFileSync(machine.path(environment), 'utf8'), 'KEDGE_TOKEN="it\'s \\"\\$ecret\\""\n');
      assert.equal((await machine.run(['systemd-analyze', 'verify', unit])).output, '');
      assert.equal((await machine.run(['systemctl', 'is-enabled', 'kedge'])).stdout, 'enabled\n');
    });

    test('the unit has the settings of the packaged one', () => {
      const settings = (text: string): string[] =>
        text
          .split('\n')
          .filter((line) => /^\w+=/.test(line) && !/^(Documentation|Conflicts|ExecStart|EnvironmentFile)=/.test(line));
      const packaged = readFileSync(join(ROOT, 'systemd', 'kedge.service'), 'utf8');
      assert.deepEqual(settings(readFileSync(machine.path(unit), 'utf8')), settings(packaged));
    });

    test('a second time', async () => {
      const output = await mustInstall({ KEDGE_DEBUG: 'true' });
      assert.match(output, /is this release already/);
      assert.match(readFileSync(machine.path(environment), 'utf8'), /^KEDGE_TOKEN=.*\nKEDGE_DEBUG="true"\n$/);
      assert.match(readFileSync(machine.path(unit), 'utf8'), /^ExecStart=\/usr\/local\/bin\/kedge "server"$/m);
    });

    test('proxies, and an executable that somebody else has put in its place', async () => {
      await machine.mustRun(['install', '-D', program, '/opt/kedge/bin/kedge']);
      const env = {
        INSTALL_KEDGE_BIN_DIR: '/opt/kedge/bin',
        INSTALL_KEDGE_BIN_DIR_READ_ONLY: 'true',
        INSTALL_KEDGE_NAME: 'other',
        HTTPS_PROXY: 'http://proxy:3128',
        no_proxy: '10.0.0.0/8',
        OTHER_PROXY: 'none',
      };
      await mustInstall(env);
      assert.equal(await machine.mustRun(['ls', '/opt/kedge/bin']), 'kedge\n');
      const own = '/etc/systemd/system/kedge-other.service';
      assert.match(readFileSync(machine.path(own), 'utf8'), /^ExecStart=\/opt\/kedge\/bin\/kedge "server"$/m);
      const variables = readFileSync(machine.path('/etc/kedge/kedge-other.env'), 'utf8');
      assert.equal(variables, 'HTTPS_PROXY="http://proxy:3128"\nno_proxy="10.0.0.0/8"\n');
      await machine.mustRun(['rm', '-r', '/opt/kedge']);
    });

    test('an agent', async () => {
      await mustInstall({ KEDGE_URL: 'https://server:6443', KEDGE_TOKEN: 'secret' });
      const text = readFileSync(machine.path('/etc/systemd/system/kedge-agent.service'), 'utf8');
      assert.match(text, /^ExecStart=\/usr\/local\/bin\/kedge "agent"$/m);
      const variables = readFileSync(machine.path('/etc/kedge/kedge-agent.env'), 'utf8');
      assert.equal(variables, 'KEDGE_TOKEN="secret"\nKEDGE_URL="https://server:6443"\n');
    });

    test('uninstalling leaves nothing', async () => {
      writeFileSync(machine.path('/usr/local/bin/other'), '');
      await machine.mustRun(['/usr/local/bin/kedge-uninstall.sh']);
      const left = (await machine.changedFiles()).filter((path) => !path.startsWith('/srv/'));
      assert.deepEqual(left, ['/usr/local/bin/other']);
    });
  });
});

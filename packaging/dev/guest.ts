import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { buildExecutable } from '../build/executable.ts';
import { buildBusybox } from '../images/busybox.ts';
import { buildAptRepository } from '../package/apt-repository.ts';
import { buildDeb } from '../package/deb.ts';
import { buildRelease } from '../package/release.ts';
import { ensureNamedPackages, ensurePackages } from './lib/apt.ts';
import { ensureGenerated } from './lib/generated.ts';
import { ensureKubectl } from './lib/kubectl.ts';
import { ENDS_WITH_US } from './lib/private-host/private-host.ts';
import { BUILD_DIR } from './lib/project.ts';
import { runMain, say, step } from './lib/report.ts';
import { ensureSystemdGuest, type SystemdGuest } from './lib/systemd-guest.ts';

const LOG = join(BUILD_DIR, 'guest', 'console.log');
const SUMMARY = join(BUILD_DIR, 'guest', 'summary.txt');
const TIMEOUT = 120 * 60_000;
const MEMORY = '3G';

/**
 * `npm run test:guest`: boots a Debian with systemd (QEMU, with cgroup v2 and IPVS) and installs, uses, reboots and
 * removes kedge there by apt and by install.sh; test/guest/systemd/install.sh is what is done. QEMU computes every instruction, which
 * takes ten minutes and more: no part of `npm test`.
 */
await runMain(async () => {
  if (process.getuid?.() !== 0) throw new OperatorError('making a disk for the guest needs root: run this as root');
  if (process.arch !== 'x64') throw new OperatorError('the guest is made for x64 only');
  await ensurePackages('runtime', 'build', 'test');
  await ensureNamedPackages(['apt-utils']);
  const guest = await ensureSystemdGuest(await fillShare());
  const text = await step('booting Debian and installing kedge there', () => boot(guest));
  writeFileSync(LOG, text);
  writeFileSync(SUMMARY, text.match(/^(ok|FAILED|info|journal) .*\n/gm)?.join('') ?? '');
  const failed = text.match(/^FAILED /gm)?.length ?? 0;
  const passed = text.match(/^ok /gm)?.length ?? 0;
  if (!/^end$/m.test(text)) throw new OperatorError(`the guest did not come to its end; its console is in ${LOG}`);
  say(`${passed} passed, ${failed} failed; its steps are in ${SUMMARY}, its console is in ${LOG}`);
  return failed === 0 ? 0 : 1;
});

/** Runs the guest until it is switched off, or its time is up; resolves to what it wrote on its console. */
function boot({ kernel, initrd, disk }: SystemdGuest): Promise<string> {
  const machine = ['-machine', 'q35,accel=tcg', '-cpu', 'max', '-smp', '2', '-m', MEMORY, '-display', 'none'];
  const devices = ['-serial', 'stdio', '-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`, '-nic', 'none'];
  const linux = [
    '-kernel',
    kernel,
    '-initrd',
    initrd,
    '-append',
    'console=ttyS0 quiet mitigations=off systemd.show_status=0',
  ];
  const [program = '', ...args] = [...ENDS_WITH_US, 'qemu-system-x86_64', ...machine, ...devices, ...linux];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), TIMEOUT);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      const lines = data.replaceAll('\r', '');
      text += lines;
      process.stdout.write(lines);
    });
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(limit);
      resolve(text);
    });
  });
}

/** The folder that the guest sees as /share. */
async function fillShare(): Promise<string> {
  ensureGenerated();
  const executable = await buildExecutable('x64');
  const share = join(BUILD_DIR, 'guest', 'share');
  rmSync(share, { recursive: true, force: true });
  mkdirSync(share, { recursive: true });
  const deb = await buildDeb({ arch: 'amd64', executable, epoch: 0, compression: 'fast', folder: share });
  await buildAptRepository({ folder: join(share, 'apt'), debs: [deb], key: undefined });
  buildRelease({ arch: 'amd64', executable, deb, folder: join(share, 'release'), url: undefined });
  copyFileSync((await ensureKubectl()).program, join(share, 'kubectl'));
  copyFileSync(buildBusybox(), join(share, 'busybox.tar'));
  return share;
}

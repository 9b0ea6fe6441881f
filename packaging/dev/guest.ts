import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { bootGuest } from '../../test/guest/boot.ts';
import { buildExecutable } from '../build/executable.ts';
import { buildBusybox } from '../images/busybox.ts';
import { buildAptRepository } from '../package/apt-repository.ts';
import { buildDeb } from '../package/deb.ts';
import { buildRelease } from '../package/release.ts';
import { ensureNamedPackages, ensurePackages } from './lib/apt.ts';
import { ensureGenerated } from './lib/generated.ts';
import { ensureKubectl } from './lib/kubectl.ts';
import { BUILD_DIR, ROOT } from './lib/project.ts';
import { runMain, say, step } from './lib/report.ts';
import { ensureDebianImage } from './lib/systemd-guest.ts';
import { ensureUserModeLinux } from './lib/user-mode-linux.ts';

const TIMEOUT = 40 * 60_000;
const MEMORY_MIB = 3072;

/**
 * `npm run test:guest`: boots a Debian with systemd (User-Mode Linux, with cgroup v2 and IPVS) and installs, uses and
 * removes kedge there by apt and by install.sh; test/guest/systemd/install.sh is what is done. Takes about ten minutes,
 * as such a guest is slow, and is therefore no part of `npm test`.
 */
await runMain(async () => {
  if (process.getuid?.() !== 0) throw new OperatorError('making a disk for the guest needs root: run this as root');
  const kernel = await ensureUserModeLinux();
  if (kernel === undefined) throw new OperatorError('User-Mode Linux exists for x64 only');
  await ensurePackages('runtime', 'build', 'test');
  await ensureNamedPackages(['apt-utils']);
  const image = await ensureDebianImage(kernel);
  const share = await fillShare();
  const overlay = join(BUILD_DIR, 'guest', 'disk.cow');
  rmSync(overlay, { force: true });
  const { output, timedOut } = await step('booting Debian and installing kedge there', () =>
    bootGuest({
      kernel,
      rootfs: '/',
      writable: true,
      init: '/sbin/init',
      memoryMiB: MEMORY_MIB,
      timeoutMs: TIMEOUT,
      kernelArguments: [
        `ubd0=${overlay},${image}`,
        'root=/dev/ubda',
        'rootfstype=ext4',
        'rootflags=',
        `kedge_share=${share}`,
        'systemd.unified_cgroup_hierarchy=1',
      ],
    }),
  );
  const log = join(share, 'log');
  const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
  process.stdout.write(text);
  const failed = text.match(/^FAILED /gm)?.length ?? 0;
  const passed = text.match(/^ok /gm)?.length ?? 0;
  if (!/^end$/m.test(text)) {
    process.stdout.write(output.split('\n').slice(-40).join('\n'));
    throw new OperatorError(timedOut ? 'the guest took too long' : 'the guest has ended before it was through');
  }
  say(`${passed} passed, ${failed} failed; the log is ${log}`);
  return failed === 0 ? 0 : 1;
});

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
  cpSync(join(ROOT, 'test', 'guest', 'systemd', 'install.sh'), join(share, 'install.sh'));
  return share;
}

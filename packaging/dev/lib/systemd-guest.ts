import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureNamedPackages } from './apt.ts';
import { mustRun } from './command.ts';
import { BUILD_DIR, ROOT } from './project.ts';
import { step } from './report.ts';
import type { GuestKernel } from './user-mode-linux.ts';

const FOLDER = join(BUILD_DIR, 'guest');
const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** kedge's dependencies are there already: the guest reaches no archive but the one it is given. */
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'dbus', 'udev', 'procps', 'curl', 'busybox-static', 'ca-certificates', 'kmod'],
  ...['containerd', 'runc', 'containernetworking-plugins', 'nftables', 'iptables', 'iproute2', 'conntrack'],
  ...['ipvsadm', 'ipset'],
];
const IMAGE_SIZE = '6G';
const FILES = join(ROOT, 'test', 'guest', 'systemd');

/** The image of a small Debian with systemd; made once by debootstrap, which takes two minutes. */
export async function ensureDebianImage(kernel: GuestKernel): Promise<string> {
  const base = join(FOLDER, 'root');
  mkdirSync(FOLDER, { recursive: true });
  if (!existsSync(base)) {
    await ensureNamedPackages(['debootstrap', 'e2fsprogs']);
    const half = `${base}.new`;
    rmSync(half, { recursive: true, force: true });
    const args = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, half, MIRROR];
    await step('making a small Debian', () => mustRun('debootstrap', args));
    renameSync(half, base);
  }
  await settle(base, kernel);
  const image = join(FOLDER, 'debian.ext4');
  rmSync(image, { force: true });
  await step('making its disk', () => mustRun('mke2fs', ['-q', '-t', 'ext4', '-d', base, image, IMAGE_SIZE]));
  return image;
}

/** What makes a guest of it: the kernel's modules, and the service that runs the script of the shared folder. */
async function settle(base: string, kernel: GuestKernel): Promise<void> {
  const modules = join(base, 'lib', 'modules');
  mkdirSync(modules, { recursive: true });
  await mustRun('cp', ['-r', join(kernel.modules, 'lib', 'modules', kernel.release), modules]);
  mkdirSync(join(base, 'share'), { recursive: true });
  writeFileSync(join(base, 'etc', 'hostname'), 'guest\n');
  writeFileSync(join(base, 'etc', 'hosts'), '127.0.0.1 localhost guest\n');
  writeFileSync(join(base, 'etc', 'fstab'), '');
  rmSync(join(base, 'etc', 'apt', 'sources.list'), { force: true });
  const units = join(base, 'etc', 'systemd', 'system');
  copyFileSync(join(FILES, 'guest-test.service'), join(units, 'guest-test.service'));
  const wants = join(units, 'multi-user.target.wants');
  mkdirSync(wants, { recursive: true });
  const link = join(wants, 'guest-test.service');
  rmSync(link, { force: true });
  symlinkSync('../guest-test.service', link);
}

import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { OperatorError } from '../../../pkg/base/component.ts';
import { aptGet, ensureNamedPackages } from './apt.ts';
import { mustRun, run } from './command.ts';
import { BUILD_DIR, ROOT } from './project.ts';
import { step } from './report.ts';

/** A Debian with systemd that QEMU boots. */
export interface SystemdGuest {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
}

const FOLDER = join(BUILD_DIR, 'guest');
const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** kedge's dependencies are there already: the guest reaches no archive but the one it is given. */
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'dbus', 'udev', 'procps', 'curl', 'busybox-static', 'ca-certificates', 'kmod'],
  ...['containerd', 'runc', 'containernetworking-plugins', 'nftables', 'iptables', 'iproute2', 'conntrack'],
  ...['ipvsadm', 'ipset'],
];
const DISK_SIZE = '6G';
const FILES = join(ROOT, 'test', 'guest', 'systemd');
const GETTY = 'serial-getty@ttyS0.service';
const SCRIPTS = ['install.sh', 'steps.sh'];
/** Units of the guest's own, each with the target that wants it. */
const UNITS = [
  ['guest-network.service', 'network-online.target'],
  ['guest-test.service', 'multi-user.target'],
] as const;

/**
 * The parts of a guest that runs test/guest/systemd/install.sh when it has booted and shows `share` as /share. The small
 * Debian on its disk is made once, by debootstrap.
 */
export async function ensureSystemdGuest(share: string): Promise<SystemdGuest> {
  mkdirSync(FOLDER, { recursive: true });
  await ensureNamedPackages(['cpio', 'debootstrap', 'e2fsprogs', 'qemu-system-x86']);
  const { kernel, release, tree } = await ensureKernel();
  const base = await ensureDebian();
  const modules = join(base, 'lib', 'modules');
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(modules, { recursive: true });
  await mustRun('cp', ['-r', join(tree, 'lib', 'modules', release), modules]);
  settle(base, share);
  const disk = join(FOLDER, 'debian.ext4');
  rmSync(disk, { force: true });
  await step('making the disk', () => mustRun('mke2fs', ['-q', '-t', 'ext4', '-d', base, disk, DISK_SIZE]));
  return { kernel, initrd: await makeInitrd(tree, release), disk };
}

/** Debian's kernel for virtual machines, unpacked: nothing is installed. */
async function ensureKernel(): Promise<{ kernel: string; release: string; tree: string }> {
  const tree = join(FOLDER, 'kernel');
  const modules = join(tree, 'lib', 'modules');
  if (!existsSync(modules)) {
    const half = `${tree}.new`;
    rmSync(half, { recursive: true, force: true });
    mkdirSync(half, { recursive: true });
    const depends = await mustRun('apt-cache', ['depends', 'linux-image-cloud-amd64']);
    const [, name] = /Depends: (linux-image-\S+)/.exec(depends) ?? [];
    if (name === undefined) throw new OperatorError('Debian has no linux-image-cloud-amd64: run `apt-get update`');
    const result = await aptGet(['download', name], half);
    const archive = readdirSync(half).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new OperatorError(`${name} cannot be downloaded: ${result.output.trim()}`);
    await mustRun('dpkg', ['-x', join(half, archive), half]);
    rmSync(join(half, archive));
    renameSync(half, tree);
  }
  const [release = ''] = readdirSync(modules);
  await mustRun('depmod', ['-b', tree, release]);
  return { kernel: join(tree, 'boot', `vmlinuz-${release}`), release, tree };
}

async function ensureDebian(): Promise<string> {
  const base = join(FOLDER, 'root');
  if (existsSync(base)) return base;
  const half = `${base}.new`;
  rmSync(half, { recursive: true, force: true });
  const args = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, half, MIRROR];
  await step('making a small Debian', () => mustRun('debootstrap', args));
  renameSync(half, base);
  return base;
}

function settle(base: string, share: string): void {
  rmSync(join(base, 'share'), { recursive: true, force: true });
  cpSync(share, join(base, 'share'), { recursive: true });
  for (const script of SCRIPTS) copyFileSync(join(FILES, script), join(base, 'share', script));
  writeFileSync(join(base, 'etc', 'hostname'), 'guest\n');
  writeFileSync(join(base, 'etc', 'hosts'), '127.0.0.1 localhost guest\n');
  writeFileSync(join(base, 'etc', 'fstab'), '');
  rmSync(join(base, 'etc', 'apt', 'sources.list'), { force: true });
  const units = join(base, 'etc', 'systemd', 'system');
  // A getty that takes the console over would hang it up for those who write there already.
  rmSync(join(units, GETTY), { force: true });
  symlinkSync('/dev/null', join(units, GETTY));
  for (const [unit, target] of UNITS) {
    copyFileSync(join(FILES, unit), join(units, unit));
    const wants = join(units, `${target}.wants`);
    mkdirSync(wants, { recursive: true });
    rmSync(join(wants, unit), { force: true });
    symlinkSync(`../${unit}`, join(wants, unit));
  }
}

/** What finds the disk: it needs two modules. */
async function makeInitrd(tree: string, release: string): Promise<string> {
  const folder = join(FOLDER, 'initrd');
  rmSync(folder, { recursive: true, force: true });
  for (const name of ['bin', 'proc', 'dev', 'root', 'modules']) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync('/bin/busybox', join(folder, 'bin', 'busybox'));
  const names: string[] = [];
  for (const module of ['virtio_pci', 'virtio_blk']) {
    const listing = await mustRun('modprobe', ['-d', tree, '-S', release, '--show-depends', module]);
    for (const [, path = ''] of listing.matchAll(/^insmod (\S+)/gm)) {
      if (names.includes(basename(path))) continue;
      names.push(basename(path));
      copyFileSync(path, join(folder, 'modules', basename(path)));
    }
  }
  const script = [
    '#!/bin/busybox sh',
    'b=/bin/busybox',
    '$b mount -t proc proc /proc',
    '$b mount -t devtmpfs dev /dev',
    ...names.map((name) => `$b insmod /modules/${name}`),
    'until [ -e /dev/vda ]; do $b sleep 0.1; done',
    '$b mount -t ext4 /dev/vda /root',
    '$b umount /proc',
    'exec $b switch_root /root /sbin/init',
  ];
  writeFileSync(join(folder, 'init'), `${script.join('\n')}\n`, { mode: 0o755 });
  const initrd = join(FOLDER, 'initrd.cpio');
  const packed = await run('sh', ['-c', 'find . | cpio -o -H newc --quiet > "$0"', initrd], { cwd: folder });
  if (packed.code !== 0) throw new OperatorError(`the initrd cannot be packed: ${packed.output}`);
  return initrd;
}

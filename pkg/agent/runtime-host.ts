import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OperatorError } from '../base/component.ts';
import { type CgroupHost, detectCgroups } from '../host/cgroups.ts';
import { ExecError, exec } from '../host/exec.ts';
import {
  type ContainerdVersion,
  isOlder,
  OLDEST_CONTAINERD,
  parseContainerdVersion,
  type Snapshotter,
} from './containerd-config.ts';

/** The programs and abilities of this machine that running containers rests on. */
export interface RuntimeHost {
  readonly containerd: string;
  readonly ctr: string;
  readonly runc: string;
  /** What `containerd --version` says, and the version in it. */
  readonly versionText: string;
  readonly version: ContainerdVersion;
  readonly cniBinDir: string;
  readonly cgroups: CgroupHost;
  /** Whether this process holds CAP_SYS_RESOURCE; inside LXC and other containers root often does not. */
  readonly hasSysResource: boolean;
  /** The PATH of containerd, which finds its shim, runc and `mount` helpers by it. */
  readonly searchPath: string;
}

const PROGRAM_DIRS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Debian's and Ubuntu's folder first, then the one that CNI's own archives are unpacked to. */
const CNI_DIRS = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];
const CNI_PLUGINS = ['bridge', 'host-local', 'loopback'];
export const CAP_SYS_RESOURCE = 24n;

/**
 * Looks for what containers need. `extraDirs` are searched for programs before the usual places. Throws
 * OperatorError naming the remedy for the first thing that is missing.
 */
export async function detectRuntimeHost(extraDirs: readonly string[] = []): Promise<RuntimeHost> {
  const dirs = [...new Set([...extraDirs, ...(process.env['PATH'] ?? '').split(':'), ...PROGRAM_DIRS])].filter(Boolean);
  const containerd = needProgram('containerd', dirs, 'containerd');
  const ctr = needProgram('ctr', [dirname(containerd), ...dirs], 'containerd');
  needProgram('containerd-shim-runc-v2', [dirname(containerd), ...dirs], 'containerd');
  const runc = needProgram('runc', dirs, 'runc');
  const cniBinDir = CNI_DIRS.find((dir) => CNI_PLUGINS.every((name) => existsSync(join(dir, name))));
  if (cniBinDir === undefined) {
    const text = `the CNI plugins (${CNI_PLUGINS.join(', ')}) are not in ${CNI_DIRS.join(' or ')}`;
    throw new OperatorError(`${text}: apt install containernetworking-plugins`);
  }
  const cgroups = detectCgroups();
  checkControllers(cgroups);
  const versionText = (await exec([containerd, '--version'])).trim();
  return {
    containerd,
    ctr,
    runc,
    versionText,
    version: checkVersion(containerd, versionText),
    cniBinDir,
    cgroups,
    hasSysResource: hasCapability(readFileSync('/proc/self/status', 'utf8'), CAP_SYS_RESOURCE),
    searchPath: [dirname(containerd), dirname(runc), ...PROGRAM_DIRS].join(':'),
  };
}

function needProgram(name: string, dirs: readonly string[], debianPackage: string): string {
  for (const dir of dirs) {
    const path = join(dir, name);
    if (isExecutable(path)) return path;
  }
  throw new OperatorError(`${name} is not installed: apt install ${debianPackage}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Missing or not for us: both mean that the search goes on.
    return false;
  }
}

function checkVersion(program: string, text: string): ContainerdVersion {
  const version = parseContainerdVersion(text);
  if (version === undefined) throw new OperatorError(`${program} tells no version ("${text}"): apt install containerd`);
  if (isOlder(version, OLDEST_CONTAINERD)) {
    const { major, minor } = OLDEST_CONTAINERD;
    throw new OperatorError(
      `${program} is version ${version.major}.${version.minor}: kedge needs ${major}.${minor} or newer`,
    );
  }
  return version;
}

function checkControllers(cgroups: CgroupHost): void {
  for (const name of ['memory', 'cpu', 'pids']) {
    if (cgroups.controllers.has(name)) continue;
    const setting = name === 'memory' ? 'cgroup_enable=memory cgroup_memory=1' : `cgroup_enable=${name}`;
    throw new OperatorError(
      `the ${name} cgroup is off: add "${setting}" to the kernel's command line ` +
        '(/boot/firmware/cmdline.txt on a Raspberry Pi, GRUB_CMDLINE_LINUX in /etc/default/grub elsewhere) and reboot',
    );
  }
}

/** Whether the effective set in a `/proc/<pid>/status` text has the capability with that number. */
export function hasCapability(status: string, capability: bigint): boolean {
  const [, digits = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return ((BigInt(`0x${digits}`) >> capability) & 1n) === 1n;
}

/**
 * The snapshotter for `root`: overlayfs where it can be mounted there, else `native`, which copies every layer.
 * It is tried for real, since that depends on the kernel, the file system below and the sandbox around us.
 */
export async function detectSnapshotter(root: string): Promise<{ snapshotter: Snapshotter; reason: string }> {
  const trial = join(root, '.overlayfs-trial');
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(trial, name));
  for (const dir of [lower, upper, work, merged]) mkdirSync(dir ?? trial, { recursive: true });
  try {
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await exec(['mount', '-t', 'overlay', 'overlay', '-o', options, `${merged}`]);
    await exec(['umount', `${merged}`]);
    return { snapshotter: 'overlayfs', reason: '' };
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return { snapshotter: 'native', reason: error.message };
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}

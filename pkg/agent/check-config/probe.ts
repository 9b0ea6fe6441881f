import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type CgroupHost, detectCgroups } from '../../host/cgroups.ts';
import { DBUS_SOCKET } from '../../host/systemd-slices.ts';
import { CAP_SYS_RESOURCE, hasCapability } from '../runtime-host.ts';
import { type Need, type OptionState, parseKernelConfig } from './kernel-options.ts';

export interface ProgramFinding {
  readonly name: string;
  readonly need: Need;
  readonly use: string;
  /** The Debian package that brings it. */
  readonly package: string;
  /** Undefined when it is not there. */
  readonly path: string | undefined;
}

/** What `kedge check-config` looks at. */
export interface MachineFindings {
  readonly programs: readonly ProgramFinding[];
  readonly kernelVersion: string;
  /** Undefined when the kernel does not tell how it was built. */
  readonly kernel: ReadonlyMap<string, OptionState> | undefined;
  readonly cgroups: CgroupHost;
  readonly hasDbus: boolean;
  readonly hasSysResource: boolean;
  readonly hasSwap: boolean;
  /** As many watchers of files a user may have. */
  readonly inotifyInstances: number;
}

const CNI_DIRS = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];
const SYSTEM_DIRS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

const PROGRAMS: readonly (Omit<ProgramFinding, 'path'> & { readonly folders?: readonly string[] })[] = [
  { name: 'containerd', need: 'required', use: 'containers', package: 'containerd' },
  { name: 'containerd-shim-runc-v2', need: 'required', use: 'containers', package: 'containerd' },
  { name: 'runc', need: 'required', use: 'containers', package: 'runc' },
  ...['bridge', 'host-local', 'loopback'].map((name) => ({
    name,
    need: 'required' as const,
    use: 'the network of Pods',
    package: 'containernetworking-plugins',
    folders: CNI_DIRS,
  })),
  { name: 'ip', need: 'required', use: 'the network of Pods', package: 'iproute2' },
  { name: 'nft', need: 'required', use: 'Services', package: 'nftables' },
  { name: 'modprobe', need: 'recommended', use: 'kernel modules', package: 'kmod' },
  { name: 'conntrack', need: 'recommended', use: 'UDP Services whose Pods change', package: 'conntrack' },
  { name: 'ipvsadm', need: 'recommended', use: 'Services over IPVS', package: 'ipvsadm' },
  { name: 'iptables', need: 'recommended', use: 'Services over IPVS', package: 'iptables' },
  { name: 'ipset', need: 'recommended', use: 'Services over IPVS', package: 'ipset' },
  { name: 'kubectl', need: 'recommended', use: 'kedge kubectl', package: 'kubectl' },
];

/** Looks at this machine; nothing is changed. */
export function probeMachine(env: NodeJS.ProcessEnv): MachineFindings {
  const folders = [...(env['PATH'] ?? '').split(':').filter((folder) => folder !== ''), ...SYSTEM_DIRS];
  return {
    programs: PROGRAMS.map(({ folders: own = folders, ...program }) => ({
      ...program,
      path: own.map((folder) => join(folder, program.name)).find(isExecutable),
    })),
    kernelVersion: release(),
    kernel: readKernelConfig(),
    cgroups: detectCgroups(),
    hasDbus: existsSync(DBUS_SOCKET),
    hasSysResource: hasCapability(readFileSync('/proc/self/status', 'utf8'), CAP_SYS_RESOURCE),
    hasSwap: readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1,
    inotifyInstances: Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8')),
  };
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

function readKernelConfig(): ReadonlyMap<string, OptionState> | undefined {
  const file = ['/proc/config.gz', `/boot/config-${release()}`, `/usr/lib/modules/${release()}/config`].find((path) =>
    existsSync(path),
  );
  if (file === undefined) return undefined;
  const bytes = readFileSync(file);
  return parseKernelConfig((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
}

import { existsSync, readFileSync } from 'node:fs';
import { parseMountInfo } from './mounts.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** How this machine accounts for processes. */
export interface CgroupHost {
  readonly version: 1 | 2;
  /** The controllers containers can use: `cpu`, `memory`, `pids`, … */
  readonly controllers: ReadonlySet<string>;
  /** Who makes container cgroups. containerd and the kubelet must agree on it. */
  readonly driver: CgroupDriver;
}

/** What `detectCgroups` looks at. */
export interface CgroupSources {
  /** `/proc/self/mountinfo`. */
  readonly mountInfo: string;
  /** `/sys/fs/cgroup/cgroup.controllers`; undefined when there is no such file. */
  readonly rootControllers: string | undefined;
  /** Whether systemd is PID 1. */
  readonly systemdBooted: boolean;
}

/**
 * cgroup v2 when the unified hierarchy is mounted at the top, else v1. The systemd driver is for v2 under systemd
 * only, where systemd owns the tree; everywhere else directories are made directly, as k3s does.
 */
export function planCgroups(sources: CgroupSources): CgroupHost {
  const mounts = parseMountInfo(sources.mountInfo);
  const unified = mounts.some((mount) => mount.fsType === 'cgroup2' && mount.mountPoint === '/sys/fs/cgroup');
  if (unified) {
    const controllers = new Set((sources.rootControllers ?? '').split(/\s+/).filter((name) => name !== ''));
    return { version: 2, controllers, driver: sources.systemdBooted ? 'systemd' : 'cgroupfs' };
  }
  const names = mounts
    .filter((mount) => mount.fsType === 'cgroup')
    .flatMap((mount) => mount.mountPoint.slice(mount.mountPoint.lastIndexOf('/') + 1).split(','));
  return { version: 1, controllers: new Set(names), driver: 'cgroupfs' };
}

/** How this machine accounts for processes. */
export function detectCgroups(): CgroupHost {
  const controllersFile = '/sys/fs/cgroup/cgroup.controllers';
  return planCgroups({
    mountInfo: readFileSync('/proc/self/mountinfo', 'utf8'),
    rootControllers: existsSync(controllersFile) ? readFileSync(controllersFile, 'utf8') : undefined,
    systemdBooted: existsSync('/run/systemd/system'),
  });
}

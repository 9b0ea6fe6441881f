import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupSettings, cpuWeight } from './cgroup-tree.ts';
import { ExecError, exec } from './exec.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';
export const DBUS_SOCKET = '/run/dbus/system_bus_socket';
const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'] as const;
/** systemd keeps quotas in µs of CPU per second and rounds them down to 10 ms itself; runc rounds up, and so do we. */
const QUOTA_STEP = 10_000;
const PERIODS_PER_SECOND = 10;

/** `/kubepods/burstable/poduid-1` as systemd names it: `kubepods-burstable-poduid_1.slice`. */
export function sliceName(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return `${parts.map((part) => part.replaceAll('-', '_')).join('-')}.slice`;
}

/** Where a slice's cgroup is: `a-b.slice` lies in `a.slice`. */
export function sliceFolder(name: string): string {
  const parts = name.slice(0, -'.slice'.length).split('-');
  return join(CGROUP_ROOT, ...parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`));
}

/** The properties that put `settings` in force: name, D-Bus type and value of each. */
export function planSliceProperties(settings: CgroupSettings): [name: string, type: string, value: string][] {
  const { cpuShares, cpuQuota, memoryLimit } = settings;
  const properties: [string, string, string][] = [
    // Otherwise it would be stopped early on when the machine shuts down, before the services that use it.
    ['DefaultDependencies', 'b', 'false'],
    ...['CPUAccounting', 'MemoryAccounting', 'IOAccounting', 'TasksAccounting'].map(
      (name): [string, string, string] => [name, 'b', 'true'],
    ),
  ];
  if (cpuShares !== undefined) properties.push(['CPUWeight', 't', String(cpuWeight(cpuShares))]);
  if (cpuQuota !== undefined) {
    const perSecond = Math.ceil((cpuQuota * PERIODS_PER_SECOND) / QUOTA_STEP) * QUOTA_STEP;
    properties.push(['CPUQuotaPerSecUSec', 't', String(perSecond)]);
  }
  if (memoryLimit !== undefined) properties.push(['MemoryMax', 't', String(memoryLimit)]);
  return properties;
}

/**
 * Has systemd make the slice `name` with `settings`; one that is there already stays as it is. On a machine without
 * D-Bus nothing happens: slices are made for the first container then, without limits.
 */
export async function startSlice(name: string, settings: CgroupSettings): Promise<void> {
  if (existsSync(sliceFolder(name)) || !existsSync(DBUS_SOCKET)) return;
  const properties = planSliceProperties(settings);
  const call = ['busctl', 'call', '--quiet', ...MANAGER, 'StartTransientUnit', 'ssa(sv)a(sa(sv))'] as const;
  try {
    await exec([...call, name, 'fail', String(properties.length), ...properties.flat(), '0']);
  } catch (error) {
    // A container of the same Pod, or of another that ends, was faster.
    if (error instanceof ExecError && /already (exists|loaded)|was already/.test(error.stderr)) return;
    throw error;
  }
}

/** Has systemd take these slices away, with all that runs in them. One that is not there is no mistake. */
export async function stopSlices(names: readonly string[]): Promise<void> {
  const present = names.filter((name) => existsSync(sliceFolder(name)));
  if (present.length > 0) await exec(['systemctl', 'stop', ...present]);
}

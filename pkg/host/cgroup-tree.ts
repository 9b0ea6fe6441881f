import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CgroupHost } from './cgroups.ts';
import { type MountEntry, readMounts } from './mounts.ts';

/** What a group of processes may use; undefined leaves the kernel's setting. */
export interface CgroupSettings {
  /** cgroup v1's scale, 2 to 262144; converted for v2. */
  readonly cpuShares?: number | undefined;
  /** Microseconds of CPU time per 100 ms. */
  readonly cpuQuota?: number | undefined;
  /** Bytes. */
  readonly memoryLimit?: number | undefined;
}

const PERIOD = 100_000;
/** The v1 controllers with settings of ours; container runtimes make a path in the others themselves. */
const V1_CONTROLLERS = ['cpu', 'memory', 'pids'] as const;
/** v2 controllers handed down to Pods. */
const V2_CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'] as const;

/** One file to write below a cgroup's folder. */
export interface CgroupWrite {
  readonly controller: (typeof V1_CONTROLLERS)[number];
  readonly file: string;
  readonly value: string;
}

/** cpu.weight (1 to 10000) for cpu.shares (2 to 262144), by the linear scale runc uses. */
export function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** The files that put `settings` in force. */
export function planCgroupWrites(version: 1 | 2, settings: CgroupSettings): CgroupWrite[] {
  const { cpuShares, cpuQuota, memoryLimit } = settings;
  const writes: CgroupWrite[] = [];
  if (cpuShares !== undefined) {
    writes.push(
      version === 1
        ? { controller: 'cpu', file: 'cpu.shares', value: String(cpuShares) }
        : { controller: 'cpu', file: 'cpu.weight', value: String(cpuWeight(cpuShares)) },
    );
  }
  if (cpuQuota !== undefined) {
    writes.push(
      version === 1
        ? { controller: 'cpu', file: 'cpu.cfs_quota_us', value: String(cpuQuota) }
        : { controller: 'cpu', file: 'cpu.max', value: `${cpuQuota} ${PERIOD}` },
    );
  }
  if (memoryLimit !== undefined) {
    const file = version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
    writes.push({ controller: 'memory', file, value: String(memoryLimit) });
  }
  return writes;
}

/** Whether `error` is one of the operating system's with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Makes and removes cgroups as plain directories (the cgroupfs driver), in v1's hierarchies or in v2's one. */
export class CgroupTree {
  readonly #version: 1 | 2;
  /** Hierarchy folders by controller (v1), or the unified one under `''`. */
  readonly #roots: ReadonlyMap<string, string>;

  private constructor(version: 1 | 2, roots: ReadonlyMap<string, string>) {
    this.#version = version;
    this.#roots = roots;
  }

  /** The tree of this machine. */
  static async open(host: Pick<CgroupHost, 'version'>): Promise<CgroupTree> {
    return new CgroupTree(
      host.version,
      host.version === 2 ? new Map([['', '/sys/fs/cgroup']]) : v1Roots(await readMounts()),
    );
  }

  /** Makes the cgroup `path` (from the root, `/kubepods/…`) where it is missing and puts `settings` in force. */
  async apply(path: string, settings: CgroupSettings): Promise<void> {
    if (this.#version === 2) await this.#makeUnified(path);
    else await Promise.all(this.#folders(path, V1_CONTROLLERS).map((folder) => mkdir(folder, { recursive: true })));
    for (const { controller, file, value } of planCgroupWrites(this.#version, settings)) {
      const root = this.#roots.get(this.#version === 2 ? '' : controller);
      if (root !== undefined) await writeFile(join(root, path, file), value);
    }
  }

  /** Removes the cgroup `path` and everything below it, in every hierarchy. Throws EBUSY while processes are in it. */
  async remove(path: string): Promise<void> {
    await Promise.all(this.#folders(path, [...this.#roots.keys()]).map(removeTree));
  }

  /** Kills every process in the cgroup `path` and below it. */
  async kill(path: string): Promise<void> {
    const found = await Promise.all(this.#folders(path, [...this.#roots.keys()]).map(processesIn));
    // 0 stands for a process of another pid namespace.
    for (const pid of new Set(found.flat())) if (pid > 1) killProcess(pid);
  }

  #folders(path: string, controllers: readonly string[]): string[] {
    const roots = new Set(
      controllers.map((controller) => this.#roots.get(controller)).filter((root) => root !== undefined),
    );
    return [...roots].map((root) => join(root, path));
  }

  /** A v2 cgroup has only the controllers that every one above it hands down. */
  async #makeUnified(path: string): Promise<void> {
    let folder = this.#roots.get('') ?? '/sys/fs/cgroup';
    for (const name of path.split('/').filter((part) => part !== '')) {
      const available = new Set((await readFile(join(folder, 'cgroup.controllers'), 'utf8')).trim().split(' '));
      const enabled = new Set((await readFile(join(folder, 'cgroup.subtree_control'), 'utf8')).trim().split(' '));
      const missing = V2_CONTROLLERS.filter((controller) => available.has(controller) && !enabled.has(controller));
      if (missing.length > 0) {
        await writeFile(
          join(folder, 'cgroup.subtree_control'),
          missing.map((controller) => `+${controller}`).join(' '),
        );
      }
      folder = join(folder, name);
      await mkdir(folder, { recursive: true });
    }
  }
}

function v1Roots(mounts: readonly MountEntry[]): Map<string, string> {
  const roots = new Map<string, string>();
  for (const mount of mounts) {
    if (mount.fsType !== 'cgroup' && mount.fsType !== 'cgroup2') continue;
    const name = mount.mountPoint.slice(mount.mountPoint.lastIndexOf('/') + 1);
    for (const controller of name.split(',')) roots.set(controller, mount.mountPoint);
  }
  return roots;
}

async function processesIn(folder: string): Promise<number[]> {
  try {
    const pids = (await readFile(join(folder, 'cgroup.procs'), 'utf8')).split('\n').filter((line) => line !== '');
    const entries = await readdir(folder, { withFileTypes: true });
    const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => processesIn(join(folder, name)));
    return [...pids.map(Number), ...(await Promise.all(below)).flat()];
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/** A cgroup's folder is removed by rmdir although it has files; its sub-cgroups go first. */
async function removeTree(folder: string): Promise<void> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await removeTree(join(folder, entry.name));
    }
    await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

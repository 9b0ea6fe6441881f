/** What the machine as a whole uses, as the kernel's files tell; the same with cgroup v1 and v2. */
import { readFile, statfs } from 'node:fs/promises';

export interface MemoryUsage {
  /** Bytes in use, page cache included. */
  readonly usage: number;
  /** Bytes that cannot simply be dropped: use without the inactive file cache. */
  readonly workingSet: number;
  readonly available: number;
  readonly rss: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
}

export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
}

export interface MachineUsage {
  /** CPU time of all processors since the start, nanoseconds. */
  readonly cpuNanos: number;
  /** When the machine started, milliseconds since the epoch. */
  readonly bootedAt: number;
  readonly memory: MemoryUsage;
  readonly swapUsage: number;
  readonly swapAvailable: number;
  readonly interfaces: readonly InterfaceUsage[];
}

export interface FileSystemUsage {
  readonly capacity: number;
  readonly available: number;
  readonly used: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

/** The unit of /proc/stat (USER_HZ), the same on every architecture kedge runs on. */
const NANOS_PER_TICK = 10_000_000;

/** Busy time and start of the machine from `/proc/stat`. */
export function parseProcStat(text: string): { cpuNanos: number; bootedAt: number } {
  // user nice system idle iowait irq softirq steal; guest time is part of user time.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (/^cpu +(.*)$/m.exec(text)?.[1] ?? '')
    .split(' ')
    .map(Number);
  const booted = Number(/^btime (\d+)$/m.exec(text)?.[1] ?? 0);
  return { cpuNanos: (user + nice + system + irq + softirq + steal) * NANOS_PER_TICK, bootedAt: booted * 1000 };
}

/** `/proc/meminfo` and `/proc/vmstat` as memory use. */
export function parseMemory(
  meminfo: string,
  vmstat: string,
): { memory: MemoryUsage; swapUsage: number; swapAvailable: number } {
  const bytes = (name: string): number => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo);
    return Number(match?.[1] ?? 0) * 1024;
  };
  const count = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(vmstat)?.[1] ?? 0);
  const total = bytes('MemTotal');
  const usage = total - bytes('MemFree');
  const workingSet = Math.max(0, usage - bytes('Inactive\\(file\\)'));
  return {
    memory: {
      usage,
      workingSet,
      available: Math.max(0, total - workingSet),
      rss: bytes('AnonPages'),
      pageFaults: count('pgfault'),
      majorPageFaults: count('pgmajfault'),
    },
    swapUsage: bytes('SwapTotal') - bytes('SwapFree'),
    swapAvailable: bytes('SwapFree'),
  };
}

/** `/proc/net/dev`, without the loopback and the host's ends of Pods' interfaces. */
export function parseNetDev(text: string): InterfaceUsage[] {
  const found: InterfaceUsage[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    const name = match?.[1];
    if (name === undefined || name === 'lo' || name.startsWith('veth')) continue;
    const fields = (match?.[2] ?? '').trim().split(/\s+/).map(Number);
    const [rxBytes = 0, , rxErrors = 0] = fields;
    const [txBytes = 0, , txErrors = 0] = fields.slice(8);
    found.push({ name, rxBytes, rxErrors, txBytes, txErrors });
  }
  return found;
}

/** Reads what the machine uses now. */
export async function readMachineUsage(): Promise<MachineUsage> {
  const read = (name: string): Promise<string> => readFile(`/proc/${name}`, 'utf8');
  const [stat, meminfo, vmstat, netDev] = await Promise.all([
    read('stat'),
    read('meminfo'),
    read('vmstat'),
    read('net/dev'),
  ]);
  return { ...parseProcStat(stat), ...parseMemory(meminfo, vmstat), interfaces: parseNetDev(netDev) };
}

/** What the file system that holds `path` uses, in bytes and inodes. */
export async function readFileSystemUsage(path: string): Promise<FileSystemUsage> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
  return {
    capacity: blocks * bsize,
    available: bavail * bsize,
    used: (blocks - bfree) * bsize,
    inodes: files,
    inodesFree: ffree,
  };
}

/** What the machine is, as the kernel and the system's files tell. */
import { readdir, readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, release, totalmem } from 'node:os';

export interface MachineFacts {
  /** Go's name: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly kernelVersion: string;
  /** `Debian GNU/Linux 12 (bookworm)`. */
  readonly osImage: string;
  readonly machineID: string;
  readonly systemUUID: string;
  readonly bootID: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  /** Reserved huge pages: bytes by page size (`2Mi`). */
  readonly hugepages: ReadonlyMap<string, number>;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'EACCES', 'EIO'].includes(String(error.code)))
      return '';
    throw error;
  }
}

/** The PRETTY_NAME of an os-release file. */
export function prettyName(osRelease: string): string {
  const value = /^PRETTY_NAME=(.*)$/m.exec(osRelease)?.[1] ?? 'Linux';
  return value.replace(/^["'](.*)["']$/, '$1');
}

const HUGEPAGES = '/sys/kernel/mm/hugepages';

async function hugepages(): Promise<Map<string, number>> {
  const pages = new Map<string, number>();
  let names: string[];
  try {
    names = await readdir(HUGEPAGES);
  } catch {
    // A kernel without huge pages has no such folder.
    return pages;
  }
  for (const name of names) {
    const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
    if (kib === 0) continue;
    const size =
      kib % (1024 * 1024) === 0 ? `${kib / 1024 / 1024}Gi` : kib % 1024 === 0 ? `${kib / 1024}Mi` : `${kib}Ki`;
    pages.set(size, Number(await readText(`${HUGEPAGES}/${name}/nr_hugepages`)) * kib * 1024);
  }
  return pages;
}

/** Reads everything there is to know. */
export async function readMachine(): Promise<MachineFacts> {
  const machineID = await readText('/etc/machine-id');
  const swapKib = Number(/^SwapTotal:\s+(\d+)/m.exec(await readText('/proc/meminfo'))?.[1] ?? 0);
  return {
    architecture: ARCHITECTURES[arch()] ?? arch(),
    kernelVersion: release(),
    osImage: prettyName((await readText('/etc/os-release')) || (await readText('/usr/lib/os-release'))),
    machineID,
    systemUUID: (await readText('/sys/class/dmi/id/product_uuid')) || machineID,
    bootID: await readText('/proc/sys/kernel/random/boot_id'),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    swapBytes: swapKib * 1024,
    hugepages: await hugepages(),
  };
}

/** The size in bytes of the file system that holds `path`. */
export async function fileSystemBytes(path: string): Promise<number> {
  const { blocks, bsize } = await statfs(path);
  return blocks * bsize;
}

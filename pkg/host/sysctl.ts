import { readFile, writeFile } from 'node:fs/promises';

function fileOf(name: string): string {
  return `/proc/sys/${name}`;
}

/** The value of a kernel setting named as below /proc/sys (`net/ipv4/ip_forward`); undefined when there is none. */
export async function readSysctl(name: string): Promise<string | undefined> {
  try {
    return (await readFile(fileOf(name), 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Sets a kernel setting until the next boot. Throws the file system's error when the kernel refuses. */
export async function writeSysctl(name: string, value: string): Promise<void> {
  await writeFile(fileOf(name), value);
}

/** Kernel settings of this machine, or of a network namespace of it. */
export interface Sysctl {
  read(name: string): Promise<string | undefined>;
  write(name: string, value: string): Promise<void>;
}

export const hostSysctl: Sysctl = { read: readSysctl, write: writeSysctl };

import { readFile } from 'node:fs/promises';

export interface MountEntry {
  readonly mountPoint: string;
  readonly fsType: string;
  readonly source: string;
}

/** The entries of a mountinfo file, in mount order: later ones may lie over earlier ones. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    // ID parent major:minor root mountPoint options optional-fields... - fsType source superOptions
    const [left = '', right = ''] = line.split(' - ');
    const mountPoint = left.split(' ')[4];
    const [fsType = '', source = ''] = right.split(' ');
    if (mountPoint !== undefined) {
      entries.push({ mountPoint: unescapePath(mountPoint), fsType, source: unescapePath(source) });
    }
  }
  return entries;
}

/** The mount points of `entries` strictly below `folder`, in the order in which they can be unmounted. */
export function mountsBelow(entries: readonly MountEntry[], folder: string): string[] {
  const prefix = folder.endsWith('/') ? folder : `${folder}/`;
  return entries
    .map((entry) => entry.mountPoint)
    .filter((path) => path.startsWith(prefix))
    .toReversed();
}

/** What is mounted in this process's mount namespace. */
export async function readMounts(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The kernel writes space, tab, newline and backslash as octal escapes. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

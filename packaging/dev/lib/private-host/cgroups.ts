import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The cgroup v1 hierarchies of this machine; a private host gets a cgroup in each. */
function hierarchies(): string[] {
  const found = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup')
    .map(([, folder = '']) => folder);
  return [...new Set(found)];
}

/** Whether private hosts can have cgroups of their own here. */
export function canMakeCgroups(): boolean {
  return hierarchies().length > 0;
}

/** Makes the cgroup `name` in every hierarchy. */
export function makeCgroups(name: string): void {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, name);
    mkdirSync(folder, { recursive: true });
    // A cpuset takes no process before it has processors and memory.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (existsSync(join(hierarchy, file)))
        writeFileSync(join(folder, file), readFileSync(join(hierarchy, file), 'utf8'));
    }
  }
}

/** Removes the cgroup `name` with everything below it; false while processes are still in it. */
export function removeCgroups(name: string): boolean {
  return hierarchies()
    .map((hierarchy) => removeTree(join(hierarchy, name)))
    .every(Boolean);
}

function removeTree(folder: string): boolean {
  if (!existsSync(folder)) return true;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && !removeTree(join(folder, entry.name))) return false;
  }
  try {
    rmdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EBUSY') return false;
    throw error;
  }
  return true;
}

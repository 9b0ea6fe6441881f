/** Containers as they are on this machine, whatever containerd knows of them: bundles, shims, processes, mounts. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, sleep } from '../base/clock.ts';
import { exec } from '../host/exec.ts';
import { mountsBelow, readMounts } from '../host/mounts.ts';
import {
  isOfThisMachine,
  listProcesses,
  readArguments,
  readCgroups,
  sendSignal,
  withDescendants,
} from '../host/processes.ts';
import type { ContainerdLayout } from './containerd-layout.ts';

export const CGROUP_ROOT = '/sys/fs/cgroup';
/** Where every containerd's shims listen; which sockets are ours is written in our own state directory. */
export const SHIM_SOCKETS = '/run/containerd/s';
/** Where a bundle names its shim's socket: plainly, or as JSON from containerd 2 on. */
const ADDRESS_FILES = ['address', 'bootstrap.json'];
/** Of containerd's plugin for tasks, below its root and its state, by containerd's namespace. */
const TASKS = 'io.containerd.runtime.v2.task/k8s.io';
const KILL_LIMIT = 10_000;
const KILL_INTERVAL = 20;

function bundleFolder(layout: ContainerdLayout): string {
  return join(layout.state, TASKS);
}

/**
 * Removes a container that containerd has lost: its processes and its shim, its mounts, its bundle and what runc
 * noted of it.
 */
export async function removeBundle(layout: ContainerdLayout, id: string, clock: Clock): Promise<void> {
  const socket = (await readBundles(layout)).get(id);
  await killContainers(layout, { ids: new Set([id]), everyShim: false }, clock);
  const bundle = join(bundleFolder(layout), id);
  await unmountBelow(bundle);
  if (socket !== undefined) await rm(socket, { force: true });
  for (const dir of [join(layout.runcRoot, 'k8s.io', id), join(layout.root, TASKS, id), bundle])
    await rm(dir, { recursive: true, force: true });
}

/** Our containers' ids with their shims' sockets; a container of a Pod may have none, its sandbox's shim runs it. */
export async function readBundles(layout: ContainerdLayout): Promise<Map<string, string | undefined>> {
  const folder = bundleFolder(layout);
  const found = new Map<string, string | undefined>();
  if (!existsSync(folder)) return found;
  for (const id of await readdir(folder)) {
    const texts = await Promise.all(ADDRESS_FILES.map((name) => readIfThere(join(folder, id, name))));
    const [, socket] = /unix:\/\/([^"\s]+)/.exec(texts.join(' ')) ?? [];
    found.set(id, socket?.startsWith(`${SHIM_SOCKETS}/`) ? socket : undefined);
  }
  return found;
}

async function readIfThere(path: string): Promise<string> {
  return existsSync(path) ? await readFile(path, 'utf8') : '';
}

/** Which processes are meant: those of containers, and the shims of these containers or every shim of ours. */
export interface ContainerProcesses {
  readonly ids: ReadonlySet<string>;
  readonly everyShim: boolean;
}

/** Kills shims with everything below them, and what runs in the cgroups of containers without a shim. */
export async function killContainers(layout: ContainerdLayout, meant: ContainerProcesses, clock: Clock): Promise<void> {
  const cgroups = new Set<string>();
  const limit = clock.now() + KILL_LIMIT;
  for (;;) {
    const left = await findContainerProcesses(layout, meant, cgroups);
    if (left.size === 0) break;
    if (clock.now() > limit) throw new Error(`processes ${[...left].join(', ')} do not end`);
    for (const pid of left) sendSignal(pid, 'SIGKILL');
    await sleep(clock, KILL_INTERVAL, new AbortController().signal);
  }
  for (const path of cgroups) await removeCgroup(path);
}

/** The container (mostly a sandbox) for which a shim of ours was started, by its arguments. */
function shimOf(layout: ContainerdLayout, args: readonly string[]): string | undefined {
  const isOurs = (args[0] ?? '').includes('containerd-shim') && args[args.indexOf('-address') + 1] === layout.socket;
  return isOurs ? args[args.indexOf('-id') + 1] : undefined;
}

async function findContainerProcesses(
  layout: ContainerdLayout,
  { ids, everyShim }: ContainerProcesses,
  cgroups: Set<string>,
): Promise<Set<number>> {
  const processes = (await listProcesses()).filter((info) => info.state !== 'Z');
  const roots = new Set<number>();
  for (const { pid } of processes) {
    const args = await readArguments(pid);
    const id = shimOf(layout, args);
    const isShim = id !== undefined && (everyShim || ids.has(id)) && (await isOfThisMachine(pid));
    const paths = await readCgroups(pid);
    const isContainer = [...paths.values()].some((path) => path.split(/[/:.-]/).some((part) => ids.has(part)));
    if (isContainer) for (const [controllers, path] of paths) cgroups.add(join(controllers, path));
    if (isShim || isContainer) roots.add(pid);
  }
  return withDescendants(processes, roots);
}

/** Removes a container's cgroup and its parents as far as they are empty. */
async function removeCgroup(path: string): Promise<void> {
  const [controllers = ''] = path.split('/');
  const top = join(CGROUP_ROOT, controllers.replace(/^name=/, ''));
  for (let dir = join(CGROUP_ROOT, path); dir.startsWith(`${top}/`); dir = dirname(dir)) {
    if (existsSync(dir) && !(await removeIfEmpty(dir))) return;
  }
}

export async function unmountBelow(folder: string): Promise<void> {
  const paths = mountsBelow(await readMounts(), folder);
  // Lazily: a process of the host may be looking into a volume, and the mount is gone for everybody else.
  if (paths.length > 0) await exec(['umount', '--lazy', '--', ...paths]);
}

/** Removes an empty folder; false when it is not empty. */
export async function removeIfEmpty(dir: string): Promise<boolean> {
  try {
    await rmdir(dir);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT') return true;
    if (code === 'ENOTEMPTY' || code === 'EBUSY') return false;
    throw error;
  }
}

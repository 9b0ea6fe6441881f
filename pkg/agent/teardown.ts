import { existsSync } from 'node:fs';
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, holdProcess, sleep, systemClock } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import { pathsFor } from '../base/paths.ts';
import { createCriClient } from '../cri/client.ts';
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
import { type ContainerdLayout, containerdLayout } from './containerd-layout.ts';
import { findContainerd, stopContainerd } from './containerd-process.ts';

export interface TeardownOptions {
  readonly dataDir: string;
  /** RUN_DIR unless given. */
  readonly runDir?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Network devices of kedge's own: its bridge, its VXLAN device. */
  readonly networkDevices: readonly string[];
  /** Names of kedge's CNI networks: their leases and cached results are removed. */
  readonly cniNetworks: readonly string[];
  /** cgroups below which kedge keeps its Pods, relative to the top of every hierarchy. */
  readonly cgroups: readonly string[];
  readonly nftTables: readonly { readonly family: 'ip' | 'ip6' | 'inet' | 'bridge'; readonly name: string }[];
}

const STOP_PODS_TIMEOUT = 10_000;
const KILL_LIMIT = 10_000;
const KILL_INTERVAL = 20;
const CNI_STATE = '/var/lib/cni';
const CGROUP_ROOT = '/sys/fs/cgroup';
/** Where every containerd's shims listen; which sockets are ours is written in our own state directory. */
const SHIM_SOCKETS = '/run/containerd/s';
/** Where a bundle names its shim's socket: plainly, or as JSON from containerd 2 on. */
const ADDRESS_FILES = ['address', 'bootstrap.json'];

/**
 * Removes what a kedge of `dataDir` has left running or mounted on this machine: Pods, containerd, mounts, network
 * namespaces and devices, CNI state, nft tables and the run directory. The data stays. Nothing of another containerd
 * or of Docker is touched. kedge itself must have ended. It goes on after a failure, so that as much as possible is
 * removed, and then throws AggregateError.
 */
export function teardown(options: TeardownOptions): Promise<void> {
  return holdProcess(() => removeEverything(options));
}

async function removeEverything(options: TeardownOptions): Promise<void> {
  const layout = containerdLayout(options.dataDir, options.runDir);
  const clock = options.clock ?? systemClock;
  const failures: unknown[] = [];
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      options.log.warn(`teardown: ${what}`, { error: errorText(error) });
      failures.push(error);
    }
  };
  const bundles = await readBundles(layout);
  await attempt('stopping Pods', () => stopPods(layout, clock, options.log));
  await attempt('stopping containerd', async () => {
    const found = await findContainerd(layout);
    if (found !== undefined) await stopContainerd(found, clock);
  });
  await attempt('killing containers', () => killContainers(layout, new Set(bundles.keys()), clock));
  for (const name of options.cgroups) {
    await attempt(`stopping ${name}.slice`, () => stopSlice(name));
    await attempt(`removing cgroup ${name}`, () => removeCgroupTrees(name));
  }
  const kubelet = pathsFor(options.dataDir).kubelet;
  for (const folder of [layout.state, layout.root, kubelet]) {
    await attempt(`unmounting below ${folder}`, () => unmountBelow(folder));
  }
  for (const socket of bundles.values()) {
    if (socket !== undefined) await attempt('removing shim sockets', () => rm(socket, { force: true }));
  }
  for (const dir of [SHIM_SOCKETS, dirname(SHIM_SOCKETS)]) await attempt(`removing ${dir}`, () => removeIfEmpty(dir));
  for (const device of options.networkDevices) await attempt(`removing ${device}`, () => removeDevice(device));
  await attempt('removing CNI state', () => removeCniState(options.cniNetworks, new Set(bundles.keys())));
  for (const { family, name } of options.nftTables) {
    await attempt(`removing nft table ${name}`, () => removeNftTable(family, name));
  }
  await attempt(`removing ${layout.runDir}`, () => removeRunDir(layout.runDir));
  if (failures.length > 0) throw new AggregateError(failures, 'kedge could not be removed from this machine entirely');
}

/** Our containers' ids with their shims' sockets; a container of a Pod may have none, its sandbox's shim runs it. */
async function readBundles(layout: ContainerdLayout): Promise<Map<string, string | undefined>> {
  const folder = join(layout.state, 'io.containerd.runtime.v2.task', 'k8s.io');
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

/** Asks a running containerd to end the Pods, which takes their networks down in good order. */
async function stopPods(layout: ContainerdLayout, clock: Clock, log: Logger): Promise<void> {
  if ((await findContainerd(layout)) === undefined) return;
  const { runtime, close } = createCriClient({ socketPath: layout.socket, clock });
  try {
    const { items } = await runtime.listPodSandbox({}, { timeoutMs: STOP_PODS_TIMEOUT });
    const limit = { timeoutMs: STOP_PODS_TIMEOUT };
    await Promise.all(
      items.map(async ({ id }) => {
        try {
          await runtime.stopPodSandbox({ podSandboxId: id }, limit);
          await runtime.removePodSandbox({ podSandboxId: id }, limit);
        } catch (error) {
          // What is left of it is removed the hard way next.
          log.debug('Pod not stopped by containerd', { sandbox: id, error: errorText(error) });
        }
      }),
    );
  } catch (error) {
    log.debug('containerd does not answer', { error: errorText(error) });
  } finally {
    close();
  }
}

/** Kills our shims with everything below them, and what runs in the cgroups of our containers without a shim. */
async function killContainers(layout: ContainerdLayout, ids: ReadonlySet<string>, clock: Clock): Promise<void> {
  const cgroups = new Set<string>();
  const limit = clock.now() + KILL_LIMIT;
  for (;;) {
    const left = await findContainerProcesses(layout, ids, cgroups);
    if (left.size === 0) break;
    if (clock.now() > limit) throw new Error(`processes ${[...left].join(', ')} do not end`);
    for (const pid of left) sendSignal(pid, 'SIGKILL');
    await sleep(clock, KILL_INTERVAL, new AbortController().signal);
  }
  for (const path of cgroups) await removeCgroup(path);
}

async function findContainerProcesses(
  layout: ContainerdLayout,
  ids: ReadonlySet<string>,
  cgroups: Set<string>,
): Promise<Set<number>> {
  const processes = (await listProcesses()).filter((info) => info.state !== 'Z');
  const roots = new Set<number>();
  for (const { pid } of processes) {
    const args = await readArguments(pid);
    const isShim =
      (args[0] ?? '').includes('containerd-shim') &&
      args[args.indexOf('-address') + 1] === layout.socket &&
      (await isOfThisMachine(pid));
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

/** Where systemd makes the cgroups, they are slices, which it keeps when they are empty; those below go with it. */
async function stopSlice(name: string): Promise<void> {
  const isThere = existsSync('/run/systemd/system') && existsSync(join(CGROUP_ROOT, `${name}.slice`));
  if (isThere) await exec(['systemctl', 'stop', `${name}.slice`]);
}

/** Removes the cgroup `name` and all below it in every hierarchy; one with processes stays. */
async function removeCgroupTrees(name: string): Promise<void> {
  const tops = [CGROUP_ROOT, ...(await readdir(CGROUP_ROOT)).map((entry) => join(CGROUP_ROOT, entry))];
  for (const top of tops) {
    const tree = join(top, name);
    if (existsSync(tree)) await removeCgroupTree(tree);
  }
}

async function removeCgroupTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroupTree(join(dir, entry.name));
  }
  await removeIfEmpty(dir);
}

async function unmountBelow(folder: string): Promise<void> {
  const paths = mountsBelow(await readMounts(), folder);
  // Lazily: a process of the host may be looking into a volume, and the mount is gone for everybody else.
  if (paths.length > 0) await exec(['umount', '--lazy', '--', ...paths]);
}

/** Removes an empty folder; false when it is not empty. */
async function removeIfEmpty(dir: string): Promise<boolean> {
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

async function removeDevice(name: string): Promise<void> {
  if (existsSync(`/sys/class/net/${name}`)) await exec(['ip', 'link', 'delete', name]);
}

/** Removes the leases of `networks`, and the cached results of them and of the loopbacks of our Pods. */
async function removeCniState(networks: readonly string[], ids: ReadonlySet<string>): Promise<void> {
  for (const network of networks) await rm(join(CNI_STATE, 'networks', network), { recursive: true, force: true });
  const results = join(CNI_STATE, 'results');
  if (existsSync(results)) {
    for (const file of await readdir(results)) {
      const isOurs =
        networks.some((name) => file.startsWith(`${name}-`)) || file.split('-').some((part) => ids.has(part));
      if (isOurs) await rm(join(results, file), { force: true });
    }
  }
  for (const dir of [results, join(CNI_STATE, 'networks'), CNI_STATE]) await removeIfEmpty(dir);
}

async function removeNftTable(family: string, name: string): Promise<void> {
  const tables = await exec(['nft', 'list', 'tables', family]);
  if (tables.split('\n').includes(`table ${family} ${name}`)) await exec(['nft', 'delete', 'table', family, name]);
}

async function removeRunDir(runDir: string): Promise<void> {
  const left = mountsBelow(await readMounts(), runDir);
  if (left.length > 0) throw new Error(`still mounted: ${left.join(', ')}`);
  await rm(runDir, { recursive: true, force: true });
}

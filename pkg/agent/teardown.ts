import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, holdProcess, systemClock } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import { pathsFor } from '../base/paths.ts';
import { createCriClient } from '../cri/client.ts';
import { exec } from '../host/exec.ts';
import { mountsBelow, readMounts } from '../host/mounts.ts';
import { stopSlices } from '../host/systemd-slices.ts';
import { CGROUP_ROOT, killContainers, readBundles, removeIfEmpty, SHIM_SOCKETS, unmountBelow } from './bundles.ts';
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
const CNI_STATE = '/var/lib/cni';

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
  await attempt('killing containers', () =>
    killContainers(layout, { ids: new Set(bundles.keys()), everyShim: true }, clock),
  );
  for (const name of options.cgroups) {
    await attempt(`stopping ${name}.slice`, () => stopSystemdSlice(name));
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

/** Where systemd makes the cgroups, they are slices, which it keeps when they are empty; those below go with it. */
async function stopSystemdSlice(name: string): Promise<void> {
  if (existsSync('/run/systemd/system')) await stopSlices([`${name}.slice`]);
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

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_DIR } from '../../../pkg/base/paths.ts';
import { exec } from '../../../pkg/host/exec.ts';
import { readMounts } from '../../../pkg/host/mounts.ts';
import { listProcesses, readArguments, readCgroups } from '../../../pkg/host/processes.ts';
import { until } from './until.ts';

/** What is to be seen of kedge on a machine, one line for each thing. */
export type MachineState = ReadonlySet<string>;

/** Programs of kedge itself; what runs in containers is known by its cgroup, whatever it is called. */
const PROGRAMS = /(^|\/)(kedge|containerd|containerd-shim\S*|runc|pause)$/;
const POD_CGROUP = /\/kubepods\//;

/** Looks at processes, mounts, network devices with their addresses, network namespaces, firewall rules, cgroups. */
export async function readMachine(): Promise<MachineState> {
  return new Set([
    ...(await processes()),
    ...(await readMounts()).map((mount) => `mount ${mount.mountPoint}`),
    ...(await addresses()),
    ...(await routes()),
    ...namesIn('/run/netns').map((name) => `netns ${name}`),
    ...namesIn('/var/lib/cni').map((name) => `CNI state ${name}`),
    ...(await firewall()),
    ...cgroups(),
    ...(existsSync(RUN_DIR) ? [`folder ${RUN_DIR}`] : []),
  ]);
}

/** Fails when the machine shows something that it did not show in `before`, once things have settled. */
export async function assertNothingLeft(before: MachineState): Promise<void> {
  let left: string[] = [];
  const settled = async (): Promise<boolean> => {
    left = [...(await readMachine())].filter((line) => !before.has(line));
    return left.length === 0;
  };
  try {
    await until('nothing is left of kedge', settled, { timeoutMs: 5000 });
  } catch {
    assert.deepEqual(left, [], 'left on the machine');
  }
}

async function processes(): Promise<string[]> {
  const found: string[] = [];
  for (const { pid, state } of await listProcesses()) {
    if (state === 'Z') continue;
    const [program = '', ...args] = await readArguments(pid);
    const cgroups = [...(await readCgroups(pid)).values()];
    if (PROGRAMS.test(program) || cgroups.some((path) => POD_CGROUP.test(path)))
      found.push(`process ${pid}: ${program} ${args.join(' ')}`);
  }
  return found;
}

interface Link {
  readonly ifname: string;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

async function addresses(): Promise<string[]> {
  const links = JSON.parse(await exec(['ip', '-json', 'address', 'show'])) as Link[];
  return links.flatMap((link) => [
    `device ${link.ifname}`,
    ...link.addr_info.map((address) => `address ${address.local}/${address.prefixlen} on ${link.ifname}`),
  ]);
}

async function routes(): Promise<string[]> {
  const lines = (await exec(['ip', 'route', 'show', 'table', 'all'])) + (await exec(['ip', 'rule', 'show']));
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `route ${line.trim()}`);
}

/** Tables, chains and rules without what changes by itself: handles and counters. */
async function firewall(): Promise<string[]> {
  const text = await exec(['nft', '--stateless', 'list', 'ruleset']);
  return text
    .split('\n')
    .filter((line) => /\S/.test(line) && line.trim() !== '}')
    .map((line) => `firewall ${line.trim()}`);
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** The top-level cgroups of every hierarchy. */
function cgroups(): string[] {
  const top = '/sys/fs/cgroup';
  const isV2 = existsSync(join(top, 'cgroup.controllers'));
  const hierarchies = isV2 ? [top] : namesIn(top).map((name) => join(top, name));
  return hierarchies.flatMap((hierarchy) =>
    readdirSync(hierarchy, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `cgroup ${join(hierarchy, entry.name)}`),
  );
}

import type { Command } from 'commander';
import { removeNode } from '../../pkg/agent/remove-node.ts';
import { endRunningKedges } from '../../pkg/agent/running-kedge.ts';
import { findServices, stopService } from '../../pkg/agent/services.ts';
import { holdProcess, systemClock } from '../../pkg/base/clock.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import { etcdLayout } from '../../pkg/etcd/layout.ts';
import { findEtcdProcess, stopEtcd } from '../../pkg/etcd/process.ts';
import { addFlags } from './command-line.ts';
import { configuredDataDir, MACHINE_FLAGS, machineSetting, needRoot, say, terminalLogger } from './machine-settings.ts';

/** `kedge killall`: ends kedge, its Pods and containerd, and takes mounts, devices and rules away. The data stays. */
export function addKillallCommand(program: Command): void {
  const command = program
    .command('killall')
    .description('end kedge and everything it runs on this machine; its data stays');
  const given = new Map<string, readonly string[]>();
  addFlags(command, MACHINE_FLAGS, given);
  command.helpOption('-h, --help', 'show this help');
  command.action(async () => {
    needRoot('killall');
    for (const dataDir of await killAll(given)) say(`Nothing of kedge runs any more; its data is in ${dataDir}.`);
  });
}

/** Resolves to the data directories whose kedges were ended: the one that was given, or those of all services as well. */
export async function killAll(given: ReadonlyMap<string, readonly string[]>): Promise<string[]> {
  const dataDirs = new Set([machineSetting('data-dir', given)]);
  const services = await findServices(configuredDataDir);
  if (!given.has('data-dir')) for (const service of services) dataDirs.add(service.dataDir);
  for (const service of services) if (dataDirs.has(service.dataDir)) await stopService(service.name);
  for (const dataDir of dataDirs) {
    await endRunningKedges(dataDir, configuredDataDir, systemClock);
    const etcd = await findEtcdProcess(etcdLayout(pathsFor(dataDir).etcd));
    if (etcd !== undefined) await holdProcess(() => stopEtcd(etcd, systemClock));
    await removeNode(dataDir, terminalLogger());
  }
  return [...dataDirs];
}

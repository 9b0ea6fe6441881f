import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { findServices, removeService } from '../../pkg/agent/services.ts';
import { installedPrograms, removeData, removeFolder, removePodLogs } from '../../pkg/agent/uninstall.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import { CONFIG_DIR, DEFAULT_DATA_DIR } from '../../pkg/base/paths.ts';
import { checkDataDirectory } from '../../pkg/host/data-directory.ts';
import { ExecError, exec } from '../../pkg/host/exec.ts';
import { addFlags } from './command-line.ts';
import { killAll } from './killall.ts';
import { configuredDataDir, MACHINE_FLAGS, machineSetting, needRoot, say } from './machine-settings.ts';

/** `kedge uninstall`: leaves nothing of kedge on this machine: what runs, the services, the data, the executable. */
export function addUninstallCommand(program: Command): void {
  const command = program
    .command('uninstall')
    .description('remove kedge from this machine: what it runs, its services, all its data, the executable');
  const given = new Map<string, readonly string[]>();
  addFlags(command, MACHINE_FLAGS, given);
  command.helpOption('-h, --help', 'show this help');
  command.action(async () => {
    needRoot('uninstall');
    const owner = await packageOf(process.execPath);
    if (owner !== undefined) {
      throw new OperatorError(`${process.execPath} belongs to the Debian package ${owner}: run \`apt purge ${owner}\``);
    }
    // Before anything is ended: what is deleted has to be kedge's.
    await checkDataDirectory(machineSetting('data-dir', given));
    const dataDirs = await killAll(given);
    for (const service of await findServices(configuredDataDir)) {
      if (dataDirs.includes(service.dataDir)) await removeService(service);
    }
    for (const dataDir of dataDirs) {
      await removePodLogs(dataDir);
      await (dataDir === DEFAULT_DATA_DIR ? removeFolder(dataDir) : removeData(dataDir));
      if (existsSync(dataDir)) say(`${dataDir} stays: it is a file system of its own, or holds what is not kedge's.`);
    }
    await removeFolder(CONFIG_DIR);
    const programs = await installedPrograms(process.execPath);
    for (const path of programs) await rm(path, { force: true });
    say(`kedge is removed: ${[...dataDirs, CONFIG_DIR, ...programs].join(', ')}`);
  });
}

/** The Debian package that `file` belongs to. */
async function packageOf(file: string): Promise<string | undefined> {
  try {
    const text = await exec(['dpkg', '-S', file]);
    return text.slice(0, text.indexOf(':'));
  } catch (error) {
    // No package has it, or there is no dpkg.
    if (error instanceof ExecError) return undefined;
    throw error;
  }
}

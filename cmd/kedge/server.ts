import type { Command } from 'commander';
import { OperatorError } from '../../pkg/base/component.ts';
import { addFlags, SETTINGS_HELP } from './command-line.ts';
import { SERVER_FLAGS } from './flags.ts';
import { serverConfig } from './server-config.ts';
import { collectSettings } from './settings.ts';

/** `kedge server`: settings from the config file, the environment and flags; then the server until it ends. */
export function addServerCommand(program: Command): void {
  const command = program.command('server').description('run the control plane, and a node beside it');
  const given = new Map<string, readonly string[]>();
  addFlags(command, SERVER_FLAGS, given);
  command.helpOption('-h, --help', 'show this help');
  command.addHelpText('after', SETTINGS_HELP);
  command.allowExcessArguments();
  command.action(async () => {
    const [extra] = command.args;
    if (extra !== undefined) throw new OperatorError(`unexpected argument "${extra}": kedge server takes only flags`);
    const config = serverConfig(collectSettings(SERVER_FLAGS, { commandLine: given, env: process.env }));
    // Other commands have no use for a server in their memory.
    const { runServer } = await import('../../pkg/server/server.ts');
    await runServer(config);
  });
}

import type { Command } from 'commander';
import { OperatorError } from '../../pkg/base/component.ts';
import { agentConfig } from './agent-config.ts';
import { addFlags, SETTINGS_HELP } from './command-line.ts';
import { AGENT_FLAGS } from './flags.ts';
import { collectSettings } from './settings.ts';

/** `kedge agent`: a node of a cluster whose servers are other machines. */
export function addAgentCommand(program: Command): void {
  const command = program.command('agent').description('run a node of a cluster that another machine serves');
  const given = new Map<string, readonly string[]>();
  addFlags(command, AGENT_FLAGS, given);
  command.helpOption('-h, --help', 'show this help');
  command.addHelpText('after', SETTINGS_HELP);
  command.allowExcessArguments();
  command.action(async () => {
    const [extra] = command.args;
    if (extra !== undefined) throw new OperatorError(`unexpected argument "${extra}": kedge agent takes only flags`);
    const config = agentConfig(collectSettings(AGENT_FLAGS, { commandLine: given, env: process.env }));
    const { runAgent } = await import('../../pkg/agent/run-agent.ts');
    await runAgent(config);
  });
}

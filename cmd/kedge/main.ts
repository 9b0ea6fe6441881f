import { basename } from 'node:path';
import { Command, CommanderError } from 'commander';
import { OperatorError } from '../../pkg/base/component.ts';
import { KUBERNETES_VERSION, VERSION } from '../../pkg/base/version.ts';
import { addAgentCommand } from './agent.ts';
import { addCheckConfigCommand } from './check-config.ts';
import { commandLineError, prepare } from './command-line.ts';
import { addKillallCommand } from './killall.ts';
import { addKubectlCommand, runKubectl } from './kubectl.ts';
import { addServerCommand } from './server.ts';
import { addSnapshotCommand } from './snapshot.ts';
import { addTokenCommand } from './token.ts';
import { addUninstallCommand } from './uninstall.ts';

/** Runs kedge with `args` (without program names). Resolves to the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const program = new Command('kedge')
    .description('Kubernetes for the edge in one executable')
    .version(
      `kedge version v${VERSION} (Kubernetes v${KUBERNETES_VERSION})\nnode version ${process.version}`,
      '-v, --version',
      'show the version',
    )
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command');
  addServerCommand(program);
  addAgentCommand(program);
  addTokenCommand(program);
  addKubectlCommand(program);
  addCheckConfigCommand(program);
  addSnapshotCommand(program);
  addKillallCommand(program);
  addUninstallCommand(program);
  prepare(program);
  try {
    // kubectl's arguments are its own: none of them is looked at here.
    if (basename(process.argv0) === 'kubectl') runKubectl(args);
    if (args[0] === 'kubectl') runKubectl(args.slice(1));
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    const told = error instanceof CommanderError ? commandLineError(error, program, args) : error;
    if (told === undefined) return 0;
    if (!(told instanceof OperatorError)) throw told;
    process.stderr.write(`kedge: ${told.message}\n`);
    return 1;
  }
}

main(process.argv.slice(2)).then(
  (code) => {
    // A command that ran may have set a code of its own.
    if (code !== 0) process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`kedge: unexpected failure: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 2;
  },
);

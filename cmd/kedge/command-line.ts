import { type Command, type CommanderError, Option } from 'commander';
import { OperatorError } from '../../pkg/base/component.ts';
import { envName, type Flag } from './flags.ts';
import { nearest } from './nearest.ts';

/** What stands below the flags in the help of a command that has many. */
export const SETTINGS_HELP =
  '\nA setting is taken from the flag, else the environment variable in [brackets], else the key of the same name in\nthe config file, else its default.';

/** A commander option for each flag; what was given ends up in `given` by flag name. */
export function addFlags(command: Command, flags: readonly Flag[], given: Map<string, readonly string[]>): void {
  for (const flag of flags) {
    const short = flag.short === undefined ? '' : `-${flag.short}, `;
    // An optional value: `--debug` and, as in k3s, `--debug=false`.
    const term = flag.kind === 'boolean' ? '[bool]' : `<${flag.placeholder ?? 'value'}>`;
    const option = new Option(`${short}--${flag.name} ${term}`, descriptionOf(flag));
    option.helpGroup(`${flag.group}:`).hideHelp(flag.hidden === true);
    if (flag.kind === 'boolean') option.preset('true');
    option.argParser((text) => {
      given.set(flag.name, flag.kind === 'list' ? [...(given.get(flag.name) ?? []), text] : [text]);
    });
    command.addOption(option);
  }
}

function descriptionOf(flag: Flag): string {
  const value = flag.kind === 'boolean' ? undefined : (flag.default ?? flag.defaultText);
  const facts = [value === undefined ? [] : [`default: ${value}`], flag.kind === 'list' ? ['repeatable'] : []].flat();
  return `${flag.description}${facts.length === 0 ? '' : ` (${facts.join(', ')})`} [${envName(flag)}]`;
}

/**
 * Makes commander throw instead of ending the process, and leaves the help's texts to `addFlags`. Its own errors become OperatorErrors of one line; help and
 * version are printed and end as CommanderError with exit code 0.
 */
export function prepare(command: Command): void {
  command.exitOverride();
  command.configureOutput({ writeErr: () => {}, outputError: () => {} });
  command.configureHelp({ optionDescription: (option) => option.description });
  for (const child of command.commands) prepare(child);
}

/** The command that `args` begin with, down to the innermost, and its name in words; `root` itself is called ''. */
function calledCommand(root: Command, args: readonly string[]): { readonly called: Command; readonly name: string } {
  let called = root;
  const words: string[] = [];
  for (const arg of args) {
    const child = called.commands.find((command) => command.name() === arg || command.aliases().includes(arg));
    if (child === undefined) break;
    called = child;
    words.push(child.name());
  }
  return { called, name: words.join(' ') };
}

/** What a caught error of commander means to the operator who gave `args`; undefined when help or version was asked for. */
export function commandLineError(
  error: CommanderError,
  root: Command,
  args: readonly string[],
): OperatorError | undefined {
  if (error.exitCode === 0 || error.code === 'commander.help') return undefined;
  const { called, name } = calledCommand(root, args);
  const help = `\`kedge ${name || 'server'} --help\``;
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  switch (error.code) {
    case 'commander.unknownOption': {
      const flag = quoted.replace(/=.*/, '');
      const owner = root.commands.find((command) => command.options.some((option) => option.long === flag));
      if (owner !== undefined)
        return new OperatorError(`unknown flag ${quoted}: it is one of \`kedge ${owner.name()}\``);
      const words = (called === root ? root.commands : [called]).flatMap((command) =>
        command.options.map((option) => option.long ?? ''),
      );
      const meant = nearest(flag, words);
      const hint = meant === undefined ? `${help} lists all flags` : `did you mean ${meant}?`;
      return new OperatorError(`unknown flag ${quoted}: ${hint}`);
    }
    case 'commander.optionMissingArgument':
      return new OperatorError(`${quoted.replace(/ .*/, '').replace(/,$/, '')} needs a value: see ${help}`);
    case 'commander.unknownCommand': {
      const meant = nearest(
        quoted,
        called.commands.map((command) => command.name()),
      );
      const list = `\`kedge ${name === '' ? '' : `${name} `}--help\``;
      return new OperatorError(
        `unknown command "${quoted}": ${meant === undefined ? `see ${list}` : `did you mean "${meant}"?`}`,
      );
    }
    default:
      return new OperatorError(error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  }
}

import { OperatorError } from '../../pkg/base/component.ts';
import { createLogger, type Logger } from '../../pkg/base/log.ts';
import { type Flag, SERVER_FLAGS } from './flags.ts';
import { collectSettings } from './settings.ts';

/** The settings of commands that look after a machine. */
export const MACHINE_FLAGS = SERVER_FLAGS.filter(
  ({ name }) => name === 'config' || name === 'data-dir',
) satisfies readonly Flag[];

/** One setting of this machine's kedge by flag, variable, config file or default. */
export function machineSetting(
  name: 'data-dir' | 'write-kubeconfig',
  given: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  const settings = collectSettings(SERVER_FLAGS, { commandLine: given, env: process.env });
  return settings.get(name)?.values.at(-1) ?? '';
}

/** Throws OperatorError unless root runs this. */
export function needRoot(command: string): void {
  if (process.getuid?.() !== 0) throw new OperatorError(`kedge ${command} needs root: run it as root`);
}

/** What goes wrong on the way, for whoever waits at the terminal. */
export function terminalLogger(): Logger {
  return createLogger({ level: 'warn', write: (line) => process.stderr.write(line), now: () => new Date() });
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

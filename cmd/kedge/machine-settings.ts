import { OperatorError } from '../../pkg/base/component.ts';
import { createLogger, type Logger } from '../../pkg/base/log.ts';
import { DEFAULT_CONFIG_FILE } from '../../pkg/base/paths.ts';
import { readConfigFiles } from './config-file.ts';
import { ALL_FLAGS, type Flag, PLACE_FLAGS } from './flags.ts';
import { collectSettings } from './settings.ts';

/** The settings of commands that look after a machine, server or agent. */
export const MACHINE_FLAGS: readonly Flag[] = PLACE_FLAGS.filter(({ name }) => name !== 'debug');

/** One setting of this machine's kedge by flag, variable, config file or default. */
export function machineSetting(
  name: 'data-dir' | 'write-kubeconfig',
  given: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  const settings = collectSettings(ALL_FLAGS, { commandLine: given, env: process.env });
  return settings.get(name)?.values.at(-1) ?? '';
}

/** The data directory that a config file of this machine names; one that cannot be read names none. */
export function configuredDataDir(file: string = DEFAULT_CONFIG_FILE): string | undefined {
  try {
    return readConfigFiles(file, false, ALL_FLAGS).get('data-dir')?.values.at(-1);
  } catch (error) {
    if (error instanceof OperatorError) return undefined;
    throw error;
  }
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

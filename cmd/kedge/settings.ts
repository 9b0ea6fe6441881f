import { readConfigFiles } from './config-file.ts';
import { envName, type Flag } from './flags.ts';

/** The value of a flag before it is checked, and who gave it. */
export interface Setting {
  /** One value, except for lists. */
  readonly values: readonly string[];
  /** As an error message names it: `--cluster-cidr`, `KEDGE_CLUSTER_CIDR`, `cluster-cidr (/etc/…/config.yaml:3)`. */
  readonly origin: string;
}

export type Settings = ReadonlyMap<string, Setting>;

export interface SettingSources {
  /** What the command line gave, by flag name. */
  readonly commandLine: ReadonlyMap<string, readonly string[]>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Puts together what was set where: config file < environment < command line, as k3s does; a list is replaced as a
 * whole, not merged. Flags that nobody set have their default or are left out.
 */
export function collectSettings(flags: readonly Flag[], sources: SettingSources): Settings {
  const given = new Map<string, Setting>();
  for (const flag of flags) {
    const fromEnv = sources.env[envName(flag)];
    // An empty variable is how service files switch one off.
    if (fromEnv !== undefined && fromEnv !== '') given.set(flag.name, { values: [fromEnv], origin: envName(flag) });
    const fromLine = sources.commandLine.get(flag.name);
    if (fromLine !== undefined) given.set(flag.name, { values: fromLine, origin: `--${flag.name}` });
  }
  const config = flags.find((flag) => flag.name === 'config');
  const path = given.get('config')?.values.at(-1);
  const fromFiles = readConfigFiles(path ?? config?.default ?? '', path !== undefined, flags);
  const settings = new Map<string, Setting>();
  for (const flag of flags) {
    const setting = given.get(flag.name) ?? fromFiles.get(flag.name) ?? defaultOf(flag);
    if (setting !== undefined) settings.set(flag.name, { ...setting, values: splitValues(flag, setting.values) });
  }
  return settings;
}

function defaultOf(flag: Flag): Setting | undefined {
  return flag.default === undefined ? undefined : { values: [flag.default], origin: `--${flag.name}` };
}

function splitValues(flag: Flag, values: readonly string[]): readonly string[] {
  if (flag.kind !== 'list') return values;
  return values
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

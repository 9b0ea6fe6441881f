import { existsSync } from 'node:fs';
import { readdir, readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../host/exec.ts';
import { type ConfigLookup, kedgeDataDir } from './running-kedge.ts';

/** A systemd service that runs kedge. */
export interface KedgeService {
  readonly name: string;
  /** Its unit file. */
  readonly file: string;
  /** The program it runs, and with which arguments. */
  readonly command: readonly string[];
  readonly environmentFiles: readonly string[];
  /** Where its kedge works. */
  readonly dataDir: string;
}

const UNIT_DIRS = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];
/** Where the installer puts units: those elsewhere belong to a package. */
const LOCAL_UNIT_DIR = '/etc/systemd/system';

/** The services of this machine that run `kedge server` or `kedge agent`, whatever state they are in. */
export async function findServices(lookup: ConfigLookup): Promise<KedgeService[]> {
  const found = new Map<string, KedgeService>();
  const seen = new Set<string>();
  for (const dir of UNIT_DIRS) {
    if (!existsSync(dir)) continue;
    const real = await realpath(dir);
    if (seen.has(real)) continue;
    seen.add(real);
    for (const name of (await readdir(dir)).sort()) {
      if (!/^kedge.*\.service$/.test(name) || found.has(name)) continue;
      const service = await readService(name, join(dir, name), lookup);
      if (service !== undefined) found.set(name, service);
    }
  }
  return [...found.values()];
}

async function readService(name: string, file: string, lookup: ConfigLookup): Promise<KedgeService | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    // A unit that is masked, or a link that leads nowhere.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'EISDIR', 'EINVAL'].includes(String(error.code)))
      return undefined;
    throw error;
  }
  const { command, environmentFiles } = parseUnit(text);
  const environment: Record<string, string> = {};
  for (const path of environmentFiles) {
    if (existsSync(path)) Object.assign(environment, parseEnvironment(await readFile(path, 'utf8')));
  }
  const dataDir = kedgeDataDir(command, environment, lookup);
  return dataDir === undefined ? undefined : { name, file, command, environmentFiles, dataDir };
}

/** What a unit runs, and the files its environment comes from. */
export function parseUnit(text: string): Pick<KedgeService, 'command' | 'environmentFiles'> {
  const values = (key: string): string[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${key}=`))
      .map((line) => line.slice(key.length + 1).trim());
  return {
    command: splitCommand(values('ExecStart').at(-1) ?? ''),
    environmentFiles: values('EnvironmentFile').map((path) => path.replace(/^-/, '')),
  };
}

/** The words of an ExecStart= line: quotes keep words together, `%%` and `$$` stand for one. */
function splitCommand(line: string): string[] {
  const words = line.match(/"(?:\\.|[^"\\])*"|'[^']*'|\S+/g) ?? [];
  return words.map((word) => unquote(word).replaceAll('%%', '%').replaceAll('$$', '$'));
}

function unquote(word: string): string {
  if (word.startsWith('"')) return word.slice(1, -1).replace(/\\(.)/g, '$1');
  return word.startsWith("'") ? word.slice(1, -1) : word;
}

/** The variables of an environment file. */
export function parseEnvironment(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) variables[name] = unquote(value.trim());
  }
  return variables;
}

/** Whether systemd runs this machine. */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

/** Stops a service; its Pods run on. */
export async function stopService(name: string): Promise<void> {
  if (hasSystemd()) await exec(['systemctl', 'stop', name], { timeoutMs: 120_000 });
}

/** Takes a service that the installer made away, with its environment and what the operator changed of it. */
export async function removeService(service: KedgeService): Promise<void> {
  if (!service.file.startsWith(`${LOCAL_UNIT_DIR}/`)) return;
  await exec(['systemctl', 'disable', service.name]);
  await rm(service.file, { force: true });
  await rm(`${service.file}.d`, { recursive: true, force: true });
  for (const path of service.environmentFiles) await rm(path, { force: true });
  if (!hasSystemd()) return;
  await exec(['systemctl', 'daemon-reload']);
  const { name } = service;
  const isFailed = (await exec(['systemctl', 'list-units', '--all', '--plain', '--no-legend', name])).includes(name);
  if (isFailed) await exec(['systemctl', 'reset-failed', name]);
}

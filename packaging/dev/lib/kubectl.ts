import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../../pkg/base/component.ts';
import { aptGet, ensureNamedPackages } from './apt.ts';
import { mustRun, run } from './command.ts';
import { BUILD_DIR } from './project.ts';
import { step } from './report.ts';

/** One kubectl that can be run. */
export interface Kubectl {
  readonly program: string;
  /** As it tells itself: `1.36`. */
  readonly version: string;
}

const OLDEST_MINOR = 27;
const TOOL_DIR = join(BUILD_DIR, 'tools', 'kubectl');
const UNPACKED = join(TOOL_DIR, 'root', 'usr', 'bin', 'kubectl');

/** The kubectl on the PATH, when it is one that kedge supports. */
export async function systemKubectl(): Promise<Kubectl | undefined> {
  const version = await versionOf('kubectl');
  if (version === undefined) return undefined;
  return Number(version.split('.')[1]) >= OLDEST_MINOR ? { program: 'kubectl', version } : undefined;
}

/**
 * Debian sid's kubectl, which is of the Kubernetes release kedge speaks: fetched once and unpacked below build/,
 * beside the system's. Throws OperatorError when Debian's archive cannot be reached.
 */
export async function ensureKubectl(): Promise<Kubectl> {
  if (!existsSync(UNPACKED)) await step("fetching Debian sid's kubectl", fetchKubectl);
  const version = await versionOf(UNPACKED);
  if (version === undefined) throw new OperatorError(`${UNPACKED} does not run: delete ${TOOL_DIR} and try again`);
  return { program: UNPACKED, version };
}

async function versionOf(program: string): Promise<string | undefined> {
  const result = await run(program, ['version', '--client', '--output=json']);
  return /"gitVersion": "v(\d+\.\d+)/.exec(result.stdout)?.[1];
}

/** Uses lists and a cache of its own, so that the system's apt never hears of sid. */
async function fetchKubectl(): Promise<void> {
  await ensureNamedPackages(['debian-archive-keyring']);
  for (const folder of ['lists/partial', 'cache/archives/partial', 'parts']) {
    mkdirSync(join(TOOL_DIR, folder), { recursive: true });
  }
  const sources = join(TOOL_DIR, 'sid.sources');
  const status = join(TOOL_DIR, 'status');
  writeFileSync(status, '');
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(
    sources,
    `Types: deb\nURIs: http://deb.debian.org/debian\nSuites: sid\nComponents: main\nSigned-By: ${keyring}\n`,
  );
  const isolated = [
    `Dir::Etc::sourcelist=${sources}`,
    `Dir::Etc::sourceparts=${join(TOOL_DIR, 'parts')}`,
    `Dir::Etc::preferencesparts=${join(TOOL_DIR, 'parts')}`,
    `Dir::State::lists=${join(TOOL_DIR, 'lists')}`,
    // Nothing counts as installed: a kubectl of the host with a higher version must not win.
    `Dir::State::status=${status}`,
    `Dir::Cache=${join(TOOL_DIR, 'cache')}`,
    'Acquire::Languages=none',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  for (const action of [['update'], ['download', 'kubectl']]) {
    const result = await aptGet([...isolated, ...action], TOOL_DIR);
    if (result.code !== 0) {
      const why = result.output.split('\n').find((line) => /^[EW]: /.test(line));
      throw new OperatorError(
        `kubectl cannot be fetched from Debian sid (${why}): check that deb.debian.org is reached`,
      );
    }
  }
  const archive = readdirSync(TOOL_DIR).find((name) => /^kubectl_.*\.deb$/.test(name));
  if (archive === undefined) throw new OperatorError("apt-get downloaded no kubectl: is it gone from Debian's sid?");
  const half = join(TOOL_DIR, 'root.new');
  await mustRun('dpkg', ['-x', join(TOOL_DIR, archive), half]);
  rmSync(join(TOOL_DIR, 'root'), { recursive: true, force: true });
  renameSync(half, join(TOOL_DIR, 'root'));
  for (const name of ['lists', 'cache', archive]) rmSync(join(TOOL_DIR, name), { recursive: true });
}

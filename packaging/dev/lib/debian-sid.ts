import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../../pkg/base/component.ts';
import { aptGet, ensureNamedPackages } from './apt.ts';
import { mustRun } from './command.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Downloads packages of Debian sid and unpacks them together below `<folder>/root`, which appears when all of it is
 * there. Uses lists and a cache of its own, so that the system's apt never hears of sid; nothing is installed.
 * Throws OperatorError when the archive cannot be reached or has no such package.
 */
export async function unpackFromSid(packages: readonly string[], folder: string): Promise<void> {
  await ensureNamedPackages(['debian-archive-keyring']);
  for (const name of ['lists/partial', 'cache/archives/partial', 'parts', 'archives']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const archives = join(folder, 'archives');
  const isolated = isolationOptions(folder);
  for (const action of [['update'], ['download', ...packages]]) {
    const result = await aptGet([...isolated, ...action], archives);
    if (result.code !== 0) {
      const why = result.output.split('\n').find((line) => /^[EW]: /.test(line));
      const what = packages.join(' ');
      throw new OperatorError(
        `${what} cannot be fetched from Debian sid (${why}): check that deb.debian.org is reached`,
      );
    }
  }
  const half = join(folder, 'root.new');
  for (const name of packages) {
    const archive = readdirSync(archives).find((file) => file.startsWith(`${name}_`));
    if (archive === undefined) throw new OperatorError(`apt-get downloaded no ${name}: is it gone from Debian's sid?`);
    await mustRun('dpkg', ['-x', join(archives, archive), half]);
  }
  rmSync(join(folder, 'root'), { recursive: true, force: true });
  renameSync(half, join(folder, 'root'));
  for (const name of ['lists', 'cache', 'archives']) rmSync(join(folder, name), { recursive: true });
}

function isolationOptions(folder: string): string[] {
  const sources = join(folder, 'sid.sources');
  const status = join(folder, 'status');
  writeFileSync(status, '');
  writeFileSync(
    sources,
    `Types: deb\nURIs: http://deb.debian.org/debian\nSuites: sid\nComponents: main\nSigned-By: ${KEYRING}\n`,
  );
  return [
    `Dir::Etc::sourcelist=${sources}`,
    `Dir::Etc::sourceparts=${join(folder, 'parts')}`,
    `Dir::Etc::preferencesparts=${join(folder, 'parts')}`,
    `Dir::State::lists=${join(folder, 'lists')}`,
    // Nothing counts as installed: a package of the host with a higher version must not win.
    `Dir::State::status=${status}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'Acquire::Languages=none',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
}

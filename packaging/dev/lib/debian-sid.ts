import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../../pkg/base/component.ts';
import { aptGet, ensureNamedPackages } from './apt.ts';
import { mustRun } from './command.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

export type Suite = 'bookworm' | 'sid';

/**
 * Downloads packages of a Debian suite and unpacks them together below `<folder>/root`, which appears when all of it is
 * there. Uses lists and a cache of its own, so that the system's apt never hears of it; nothing is installed.
 * Throws OperatorError when the archive cannot be reached or has no such package.
 */
export function unpackFromDebian(suite: Suite, packages: readonly string[], folder: string): Promise<void> {
  return fetchAndUnpack(suite, ['download', ...packages], folder, async (archives, root) => {
    for (const name of packages) {
      const archive = readdirSync(archives).find((file) => file.startsWith(`${name}_`));
      if (archive === undefined) {
        throw new OperatorError(`apt-get downloaded no ${name}: is it gone from Debian's ${suite}?`);
      }
      await mustRun('dpkg', ['-x', join(archives, archive), root]);
    }
  });
}

export const unpackFromSid = (packages: readonly string[], folder: string): Promise<void> =>
  unpackFromDebian('sid', packages, folder);

/** Like `unpackFromDebian`, with what a source package was before Debian changed it. */
export function unpackSource(suite: Suite, name: string, folder: string): Promise<void> {
  return fetchAndUnpack(suite, ['source', '--download-only', name], folder, async (archives, root) => {
    const archive = readdirSync(archives).find((file) => file.includes('.orig.tar.'));
    if (archive === undefined) throw new OperatorError(`apt-get downloaded no source of ${name}`);
    mkdirSync(root);
    await mustRun('tar', ['-xf', join(archives, archive), '-C', root]);
  });
}

async function fetchAndUnpack(
  suite: Suite,
  download: readonly string[],
  folder: string,
  unpack: (archives: string, root: string) => Promise<void>,
): Promise<void> {
  await ensureNamedPackages(['debian-archive-keyring']);
  for (const name of ['lists/partial', 'cache/archives/partial', 'parts', 'archives']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const archives = join(folder, 'archives');
  const isolated = isolationOptions(suite, folder);
  for (const action of [['update'], download]) {
    const result = await aptGet([...isolated, ...action], archives);
    if (result.code !== 0) {
      const why = result.output.split('\n').find((line) => /^[EW]: /.test(line));
      const what = download.slice(1).join(' ');
      throw new OperatorError(
        `${what} cannot be fetched from Debian ${suite} (${why}): check that deb.debian.org is reached`,
      );
    }
  }
  const half = join(folder, 'root.new');
  rmSync(half, { recursive: true, force: true });
  await unpack(archives, half);
  rmSync(join(folder, 'root'), { recursive: true, force: true });
  renameSync(half, join(folder, 'root'));
  for (const name of ['lists', 'cache', 'archives']) rmSync(join(folder, name), { recursive: true });
}

function isolationOptions(suite: Suite, folder: string): string[] {
  const sources = join(folder, `${suite}.sources`);
  const status = join(folder, 'status');
  writeFileSync(status, '');
  writeFileSync(
    sources,
    `Types: deb deb-src\nURIs: http://deb.debian.org/debian\nSuites: ${suite}\nComponents: main\nSigned-By: ${KEYRING}\n`,
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

import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { mustRun } from '../dev/lib/command.ts';

const SUITE = 'stable';
const COMPONENT = 'main';
const ARCHITECTURES = ['amd64', 'arm64'];
const POOL = join('pool', COMPONENT, 'k', 'kedge');
const KEYRING = 'kedge-archive-keyring.gpg';

export interface AptRepositoryOptions {
  /** Top of the repository: the URL in sources.list once it is served. Packages that are there already stay. */
  readonly folder: string;
  readonly debs: readonly string[];
  /** Signs with this key of gpg's keyring; without one, users have to write `[trusted=yes]`. */
  readonly key: string | undefined;
}

/** Puts `debs` into an apt repository and writes its indices anew. Needs apt-ftparchive, and gpg with a key. */
export async function buildAptRepository({ folder, debs, key }: AptRepositoryOptions): Promise<void> {
  mkdirSync(join(folder, POOL), { recursive: true });
  for (const deb of debs) copyFileSync(deb, join(folder, POOL, basename(deb)));
  const suite = join('dists', SUITE);
  rmSync(join(folder, suite), { recursive: true, force: true });
  for (const arch of ARCHITECTURES) {
    const index = join(folder, suite, COMPONENT, `binary-${arch}`);
    mkdirSync(index, { recursive: true });
    const text = await mustRun('apt-ftparchive', ['--arch', arch, 'packages', 'pool'], { cwd: folder });
    writeFileSync(join(index, 'Packages'), text);
    writeFileSync(join(index, 'Packages.gz'), gzipSync(text, { level: 9 }));
  }
  const facts = {
    Origin: 'kedge',
    Label: 'kedge',
    Suite: SUITE,
    Codename: SUITE,
    Components: COMPONENT,
    Architectures: ARCHITECTURES.join(' '),
    Description: 'Kubernetes for the edge in one executable',
  };
  const settings = Object.entries(facts).flatMap(([name, value]) => [
    '-o',
    `APT::FTPArchive::Release::${name}=${value}`,
  ]);
  // Written when all is there: the Release file must not list itself.
  const release = await mustRun('apt-ftparchive', [...settings, 'release', suite], { cwd: folder });
  writeFileSync(join(folder, suite, 'Release'), release);
  if (key !== undefined) await sign(folder, join(folder, suite), key);
}

async function sign(folder: string, suite: string, key: string): Promise<void> {
  const gpg = ['--batch', '--yes', '--local-user', key, '--digest-algo', 'SHA512'];
  const release = join(suite, 'Release');
  await mustRun('gpg', [...gpg, '--armor', '--detach-sign', '--output', join(suite, 'Release.gpg'), release]);
  await mustRun('gpg', [...gpg, '--clear-sign', '--output', join(suite, 'InRelease'), release]);
  await mustRun('gpg', ['--batch', '--yes', '--output', join(folder, KEYRING), '--export', key]);
}

/** The line for a sources.list that uses the repository at `url`. */
export function sourceLine(url: string, isSigned: boolean): string {
  const option = isSigned ? `signed-by=/usr/share/keyrings/${KEYRING}` : 'trusted=yes';
  return `deb [${option}] ${url} ${SUITE} ${COMPONENT}`;
}

/** The packages of kedge in `folder`, newest last. */
export function findDebs(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^kedge_.*\.deb$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

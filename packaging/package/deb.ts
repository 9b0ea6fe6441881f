import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { VERSION } from '../../pkg/base/version.ts';
import { mustRun } from '../dev/lib/command.ts';
import { BUILD_DIR, ROOT } from '../dev/lib/project.ts';
import { controlFile, copyrightFile, type DebArch, debianChangelog } from './control.ts';
import { thirdPartyLicences } from './licences.ts';
import { manualPage } from './manual.ts';

/** How hard dpkg-deb works: `small` for a release, `fast` for packages that are thrown away again. */
export type Compression = 'small' | 'fast';

export interface DebOptions {
  readonly arch: DebArch;
  readonly executable: string;
  /** The time all files get, in s since 1970: the same input makes the same package. */
  readonly epoch: number;
  readonly compression: Compression;
  /** Folder the package is written to. */
  readonly folder: string;
  /** kedge's own version unless given: tests of upgrades need a later one. */
  readonly version?: string;
}

interface PackageFile {
  readonly path: string;
  readonly mode: number;
  /** A file of the checkout, or its content. */
  readonly source: string | { readonly content: string | Uint8Array };
}

const CONFIGURATION: readonly PackageFile[] = ['kedge.env', 'kedge-agent.env'].map((name) => ({
  path: `etc/kedge/${name}`,
  mode: 0o600,
  source: join(ROOT, 'packaging', 'deb', name),
}));
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
const DOC = 'usr/share/doc/kedge';

export function debName(arch: DebArch, version = VERSION): string {
  return `kedge_${version}_${arch}.deb`;
}

/** Makes `kedge_<version>_<arch>.deb` in `folder` and returns its path. The same input makes the same bytes. */
export async function buildDeb(options: DebOptions): Promise<string> {
  const version = options.version ?? VERSION;
  const tree = join(BUILD_DIR, 'deb', options.arch);
  rmSync(tree, { recursive: true, force: true });
  const files = packageFiles(options, version);
  for (const file of files) place(tree, file);
  const bytes = files.reduce((sum, { path }) => sum + statSync(join(tree, path)).size, 0);
  const facts = { version, arch: options.arch, installedSize: Math.ceil(bytes / 1024) };
  const text = (path: string, content: string): void =>
    place(tree, { path: `DEBIAN/${path}`, mode: 0o644, source: { content } });
  text('control', controlFile(facts));
  text('conffiles', CONFIGURATION.map(({ path }) => `/${path}\n`).join(''));
  text('md5sums', await checksums(tree, files));
  for (const name of SCRIPTS) {
    place(tree, { path: `DEBIAN/${name}`, mode: 0o755, source: join(ROOT, 'packaging', 'deb', name) });
  }
  setTimes(tree, options.epoch);
  mkdirSync(options.folder, { recursive: true });
  const output = join(options.folder, debName(options.arch, version));
  // Threads cut the data into blocks, so their number is not left to the machine.
  const compression = ['-Zxz', options.compression === 'small' ? '-z6' : '-z0', '--threads-max=2'];
  await mustRun('dpkg-deb', ['--root-owner-group', ...compression, '--build', tree, output], {
    env: { SOURCE_DATE_EPOCH: String(options.epoch) },
  });
  return output;
}

function packageFiles(options: DebOptions, version: string): PackageFile[] {
  const content = (path: string, text: string): PackageFile => ({ path, mode: 0o644, source: { content: text } });
  const gzipped = (path: string, text: string): PackageFile => ({
    path,
    mode: 0o644,
    source: { content: gzipSync(text, { level: 9 }) },
  });
  const copy = (path: string, from: string): PackageFile => ({ path, mode: 0o644, source: join(ROOT, from) });
  return [
    { path: 'usr/bin/kedge', mode: 0o755, source: options.executable },
    ...['kedge.service', 'kedge-agent.service'].map((name) =>
      copy(`usr/lib/systemd/system/${name}`, `systemd/${name}`),
    ),
    ...CONFIGURATION,
    content(`${DOC}/copyright`, copyrightFile()),
    gzipped(`${DOC}/changelog.gz`, debianChangelog(version, new Date(options.epoch * 1000))),
    gzipped(`${DOC}/CHANGELOG.md.gz`, readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')),
    gzipped(`${DOC}/third-party-licences.gz`, thirdPartyLicences()),
    copy(`${DOC}/flags.md`, 'docs/flags.md'),
    gzipped('usr/share/man/man8/kedge.8.gz', manualPage(version)),
    copy('usr/share/lintian/overrides/kedge', 'packaging/deb/lintian-overrides'),
  ];
}

function place(tree: string, { path, mode, source }: PackageFile): void {
  const target = join(tree, path);
  mkdirSync(dirname(target), { recursive: true });
  if (typeof source === 'string') cpSync(source, target);
  else writeFileSync(target, source.content);
  chmodSync(target, mode);
}

/** dpkg's list of what it will unpack; configuration is left out, as it may change. */
async function checksums(tree: string, files: readonly PackageFile[]): Promise<string> {
  const paths = files.filter((file) => !CONFIGURATION.includes(file)).map(({ path }) => path);
  return mustRun('md5sum', paths.sort(), { cwd: tree });
}

/** Gives everything the same time and every folder the same permissions. */
function setTimes(path: string, epoch: number): void {
  if (statSync(path).isDirectory()) {
    chmodSync(path, 0o755);
    for (const name of readdirSync(path)) setTimes(join(path, name), epoch);
  }
  utimesSync(path, epoch, epoch);
}

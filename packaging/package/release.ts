import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { VERSION } from '../../pkg/base/version.ts';
import { ROOT } from '../dev/lib/project.ts';
import type { DebArch } from './control.ts';

export interface ReleaseOptions {
  readonly arch: DebArch;
  readonly executable: string;
  readonly deb: string;
  /** Top of the release folder: what install.sh is told as INSTALL_KEDGE_DOWNLOAD_URL, once it is served. */
  readonly folder: string;
  /** Where it will be served: written into install.sh, which otherwise has to be told. */
  readonly url: string | undefined;
}

/**
 * Lays out what install.sh downloads: `stable` names the newest version, `v<version>/` has the executable, the Debian
 * package and their checksums, `install.sh` lies at the top. Folders of other versions stay.
 */
export function buildRelease(options: ReleaseOptions): string {
  const folder = join(options.folder, `v${VERSION}`);
  mkdirSync(folder, { recursive: true });
  const program = join(folder, `kedge-linux-${options.arch}`);
  copyFileSync(options.executable, program);
  chmodSync(program, 0o755);
  const deb = join(folder, basename(options.deb));
  copyFileSync(options.deb, deb);
  writeFileSync(join(folder, `sha256sum-${options.arch}.txt`), checksumFile([program, deb]));
  writeFileSync(join(options.folder, 'stable'), `v${VERSION}\n`);
  writeFileSync(join(options.folder, 'install.sh'), installScript(options.url), { mode: 0o755 });
  return folder;
}

/** In the form of sha256sum(1). */
export function checksumFile(paths: readonly string[]): string {
  return paths
    .map((path) => `${createHash('sha256').update(readFileSync(path)).digest('hex')}  ${basename(path)}\n`)
    .join('');
}

function installScript(url: string | undefined): string {
  const script = readFileSync(join(ROOT, 'packaging', 'install.sh'), 'utf8');
  return url === undefined ? script : script.replace(/^DEFAULT_DOWNLOAD_URL=$/m, `DEFAULT_DOWNLOAD_URL='${url}'`);
}

import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { buildExecutable, megabytes } from '../build/executable.ts';
import { type Arch, isArch } from '../build/platform.ts';
import type { DebArch } from '../package/control.ts';
import { buildDeb } from '../package/deb.ts';
import { buildRelease, checksumFile } from '../package/release.ts';
import { run } from './lib/command.ts';
import { ensureGenerated } from './lib/generated.ts';
import { ROOT } from './lib/project.ts';
import { runMain, say, seconds, step } from './lib/report.ts';

const DEB_ARCH: Readonly<Record<Arch, DebArch>> = { x64: 'amd64', arm64: 'arm64' };
const USAGE = 'usage: npm run package [-- --arch x64|arm64 --url https://where-releases-are-served --fast]';

/**
 * `npm run package`: the Debian package and the bare executable with their checksums in dist/, and dist/release/, the
 * folder that packaging/install.sh installs from once it is served somewhere.
 */
await runMain(async (args) => {
  const options = parseArguments(args);
  const begun = Date.now();
  ensureGenerated();
  const executable = await buildExecutable(options.arch);
  const arch = DEB_ARCH[options.arch];
  const dist = join(ROOT, 'dist');
  const epoch = await sourceEpoch();
  const compression = options.fast ? 'fast' : 'small';
  const deb = await step('packing the Debian package', () =>
    buildDeb({ arch, executable, epoch, compression, folder: dist }),
  );
  const bare = join(dist, `kedge-linux-${arch}`);
  copyFileSync(executable, bare);
  writeFileSync(join(dist, `sha256sum-${arch}.txt`), checksumFile([bare, deb]));
  const release = buildRelease({ arch, executable, deb, folder: join(dist, 'release'), url: options.url });
  say(`${deb}: ${megabytes(deb)}`);
  say(`${bare}: ${megabytes(bare)}`);
  say(`${release}: to be served for install.sh (${seconds(begun)})`);
  return 0;
});

function parseArguments(args: readonly string[]): { arch: Arch; url: string | undefined; fast: boolean } {
  let arch: string = process.arch;
  let url: string | undefined;
  let fast = false;
  const rest = [...args];
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '--arch') arch = rest.shift() ?? '';
    else if (name === '--url') url = rest.shift() ?? '';
    else if (name === '--fast') fast = true;
    else throw new OperatorError(USAGE);
  }
  if (!isArch(arch) || (url !== undefined && !/^https?:\/\/[^'\s]+$/.test(url))) throw new OperatorError(USAGE);
  return { arch, url, fast };
}

/** The time of the sources: SOURCE_DATE_EPOCH as everywhere, else that of the last commit, else of the first second. */
async function sourceEpoch(): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  const commit = await run('git', ['log', '-1', '--format=%ct']);
  return commit.code === 0 ? Number(commit.stdout.trim()) : 0;
}

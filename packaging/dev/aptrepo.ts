import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { buildAptRepository, findDebs, sourceLine } from '../package/apt-repository.ts';
import { ensureNamedPackages } from './lib/apt.ts';
import { ROOT } from './lib/project.ts';
import { runMain, say } from './lib/report.ts';

const USAGE = 'usage: npm run aptrepo [-- --key <gpg key> --out <folder>]';

/**
 * `npm run aptrepo`: an apt repository in dist/apt with the packages that `npm run package` has made. Serve the folder,
 * and `apt install kedge` works from it.
 */
await runMain(async (args) => {
  let key: string | undefined;
  let folder = join(ROOT, 'dist', 'apt');
  const rest = [...args];
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const value = rest.shift();
    if (value === undefined) throw new OperatorError(USAGE);
    if (name === '--key') key = value;
    else if (name === '--out') folder = resolve(value);
    else throw new OperatorError(USAGE);
  }
  const dist = join(ROOT, 'dist');
  const debs = existsSync(dist) ? findDebs(dist) : [];
  if (debs.length === 0) throw new OperatorError('there is no package in dist/: run `npm run package` first');
  await ensureNamedPackages(['apt-utils', ...(key === undefined ? [] : ['gpg'])]);
  await buildAptRepository({ folder, debs, key });
  say(`${folder}: ${debs.length} package(s); once it is served, a machine uses it by this line in its sources:`);
  process.stdout.write(`\n    ${sourceLine('https://your.server/apt', key !== undefined)}\n\n`);
  return 0;
});

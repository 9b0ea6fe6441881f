import { OperatorError } from '../../pkg/base/component.ts';
import { ensurePackages, PACKAGES, type PackageGroup } from './lib/apt.ts';
import { ensureKubectl, systemKubectl } from './lib/kubectl.ts';
import { runMain, say } from './lib/report.ts';

function isGroup(name: string): name is PackageGroup {
  return Object.hasOwn(PACKAGES, name);
}

/** `npm run apt [-- runtime build test]`: installs what kedge needs of the host; everything by default. */
await runMain(async (args) => {
  const groups = args.length === 0 ? Object.keys(PACKAGES) : args;
  const unknown = groups.find((name) => !isGroup(name));
  if (unknown !== undefined) {
    throw new OperatorError(`unknown package group "${unknown}": use ${Object.keys(PACKAGES).join(', ')}`);
  }
  await ensurePackages(...groups.filter(isGroup));
  if (groups.includes('test')) {
    const found = [await systemKubectl(), await ensureKubectl()].filter((kubectl) => kubectl !== undefined);
    for (const { program, version } of found) say(`kubectl ${version}: ${program}`);
  }
  return 0;
});

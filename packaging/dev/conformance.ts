import { join } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { buildExecutable } from '../build/executable.ts';
import { isArch } from '../build/platform.ts';
import { ensurePackages } from './lib/apt.ts';
import { ensureGenerated } from './lib/generated.ts';
import { ensureKubectl } from './lib/kubectl.ts';
import { hasPrivateHosts, runOnPrivateHosts } from './lib/private-host/test-lanes.ts';
import { ROOT } from './lib/project.ts';
import { runMain } from './lib/report.ts';
import { runTestFiles } from './lib/test-runner.ts';
import { ensureUpstreamTests } from './lib/upstream-tests.ts';

const FILE = join(ROOT, 'test', 'conformance', 'conformance.test.ts');
const TIMEOUT = 60 * 60_000;

/**
 * `npm run test:conformance`: upstream's own conformance tests that need no container images, against a real server. No
 * part of `npm test`: building them takes several minutes the first time.
 */
await runMain(async (args) => {
  if (args.length > 0) throw new OperatorError('usage: npm run test:conformance');
  if (process.getuid?.() !== 0) throw new OperatorError('this starts a whole kedge: run it as root');
  if (!isArch(process.arch)) throw new OperatorError(`kedge is not built for ${process.arch}`);
  ensureGenerated();
  await ensurePackages('runtime', 'build', 'test');
  await ensureKubectl();
  await ensureUpstreamTests();
  await buildExecutable(process.arch);
  const runFiles = hasPrivateHosts() ? runOnPrivateHosts : runTestFiles;
  const counts = await runFiles({
    files: [FILE],
    concurrency: 'hosts',
    testTimeout: TIMEOUT,
    suiteTimeout: TIMEOUT,
    namePattern: undefined,
  });
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
});

import { OperatorError } from '../../pkg/base/component.ts';
import { buildExecutable } from '../build/executable.ts';
import { isArch } from '../build/platform.ts';
import { ensurePackages } from './lib/apt.ts';
import { CHECK_STAGES } from './lib/check-stages.ts';
import { ensureEtcd } from './lib/etcd.ts';
import { ensureGenerated } from './lib/generated.ts';
import { ensureKubectl } from './lib/kubectl.ts';
import { hasPrivateHosts, runOnPrivateHosts } from './lib/private-host/test-lanes.ts';
import { runMain, say, seconds } from './lib/report.ts';
import { parseTestArguments, SUITES, type SuiteName, type TestRequest, testFiles } from './lib/test-plan.ts';
import { type Counts, runTestFiles } from './lib/test-runner.ts';
import { ensureTestVectors } from './lib/test-vectors.ts';
import { ensureUserModeLinux } from './lib/user-mode-linux.ts';

/**
 * `npm test [-- path ... --name pattern]`: sets up what is missing, then checks, unit, integration and end-to-end
 * tests. The last line is `N passed, N failed`; a check counts as one test.
 */
await runMain(async (args) => {
  const request = parseTestArguments(args);
  if (typeof request === 'string') throw new OperatorError(request);
  ensureGenerated();
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  if (request.paths.length === 0 && request.namePattern === undefined) await runChecks(total);
  for (const suite of ['unit', 'integration', 'e2e'] as const) await runSuite(suite, request, total);
  if (total.skipped > 0) say(`${total.skipped} skipped`);
  if (total.passed + total.failed === 0) say('no test was run');
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
});

async function runChecks(total: Counts): Promise<void> {
  for (const stage of CHECK_STAGES) {
    const begun = Date.now();
    const { ok, output } = await stage.check();
    if (!ok) process.stdout.write(output);
    say(`${stage.name}: ${ok ? 'ok' : 'FAILED'} (${seconds(begun)})`);
    if (ok) total.passed += 1;
    else total.failed += 1;
  }
}

async function runSuite(suite: SuiteName, request: TestRequest, total: Counts): Promise<void> {
  const files = testFiles(suite, request);
  if (files.length === 0) return;
  const begun = Date.now();
  if (suite !== 'unit') await prepareMachine();
  if (suite === 'e2e') await build();
  say(`${suite} tests: ${files.length} files`);
  const { concurrency } = SUITES[suite];
  const runFiles = concurrency === 'hosts' && hasPrivateHosts() ? runOnPrivateHosts : runTestFiles;
  const counts = await runFiles({ ...SUITES[suite], files, namePattern: request.namePattern });
  say(`${suite} tests: ${counts.passed} passed, ${counts.failed} failed (${seconds(begun)})`);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}

/** Installs what tests that use the real machine need. */
async function prepareMachine(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new OperatorError('these tests run containers and set up networks: run them as root');
  await ensurePackages('runtime', 'build', 'test', 'ipvs');
  await ensureKubectl();
  await ensureUserModeLinux();
  await ensureEtcd();
  await ensureTestVectors();
}

async function build(): Promise<void> {
  const { arch } = process;
  if (!isArch(arch)) throw new OperatorError(`kedge is not built for ${arch}`);
  await buildExecutable(arch);
}

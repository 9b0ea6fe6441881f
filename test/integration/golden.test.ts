import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../../packaging/dev/lib/project.ts';
import { ApiServerProcess } from './api-server.ts';
import { allowedFailures } from './golden/allowed-failures.ts';
import { asKubernetes136, type Scenario } from './golden/deviations.ts';

const FOLDER = join(ROOT, 'test/golden');
const SCENARIO_TIMEOUT_MS = 120_000;

interface Result {
  readonly passed: number;
  readonly failed: number;
  /** `step: first difference` of each failure. */
  readonly failures: readonly string[];
}

/**
 * Scenarios of what is not built yet: rules in CEL, aggregated APIs, admission policies. They wait long for it to
 * appear; replayed once it is there.
 */
const NOT_BUILT = /^(crd-cel|apiservice|vap)/;

/** Sequences of requests with the answers of a real kube-apiserver 1.32 (test/golden), replayed against kedge. */
for (const controllers of [false, true]) replayAll(controllers);

/** Those of `ctrl-` files tell of controllers; all others were recorded without. */
function replayAll(controllers: boolean): void {
  // Those with controllers wait for them, one of them for the full minute: they do so together.
  describe(`golden scenarios ${controllers ? 'with' : 'without'} controllers`, { concurrency: controllers }, () => {
    const names = readdirSync(join(FOLDER, 'scenarios')).filter(
      (name) => name.startsWith('ctrl-') === controllers && !NOT_BUILT.test(name),
    );
    const totals = { passed: 0, failed: 0 };
    let server: ApiServerProcess;

    before(async () => {
      server = await ApiServerProcess.start({ controllers });
    });
    after(async () => {
      await server.stop();
      process.stdout.write(`golden scenarios: ${totals.passed} steps passed, ${totals.failed} failed\n`);
    });

    for (const name of names) {
      test(name, async (context) => {
        const { failed, passed, failures } = await replay(server, name);
        totals.passed += passed;
        totals.failed += failed;
        const { failures: allowed } = allowedFailures[name] ?? { failures: 0 };
        assert.ok(failed <= allowed, `${failed} steps fail, ${allowed} may:\n${failures.join('\n')}`);
        // A table that allows more than fails hides the next thing that breaks.
        if (failed < allowed)
          context.diagnostic(`only ${failed} fail: lower the ${allowed} in golden/allowed-failures.ts`);
      });
    }
  });
}

async function replay(server: ApiServerProcess, name: string): Promise<Result> {
  const scenario = JSON.parse(readFileSync(join(FOLDER, 'scenarios', name), 'utf8')) as Scenario;
  const file = join(server.folder, name);
  const report = join(server.folder, `result-${name}`);
  writeFileSync(file, JSON.stringify(asKubernetes136(scenario)));
  const { ca, cert, key } = server.tls;
  const args = ['--server', server.url, '--ca', ca, '--cert', cert, '--key', key, '--json', report, file];
  await run([join(FOLDER, 'replay.mjs'), ...args]);
  const { passed, failed, scenarios } = JSON.parse(readFileSync(report, 'utf8')) as {
    passed: number;
    failed: number;
    scenarios: { steps: { name: string; problems: string[] }[] }[];
  };
  const steps = scenarios.flatMap((each) => each.steps).filter(({ problems }) => problems.length > 0);
  return { passed, failed, failures: steps.map((step) => `${step.name}: ${step.problems[0]}`) };
}

/** Runs the player, whose exit status 1 means that steps failed. */
function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { timeout: SCENARIO_TIMEOUT_MS, maxBuffer: 1 << 26 }, (error) => {
      if (error !== null && error.code !== 1) reject(error);
      else resolve();
    });
  });
}

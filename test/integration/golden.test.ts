import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../../packaging/dev/lib/project.ts';
import { ApiServerProcess } from './api-server.ts';
import { allowedFailures } from './golden/allowed-failures.ts';
import { asKubernetes136 } from './golden/deviations.ts';
import type { Scenario } from './golden/recording.ts';

const FOLDER = join(ROOT, 'test/golden');
const SCENARIO_TIMEOUT_MS = 120_000;

interface Result {
  readonly passed: number;
  readonly failed: number;
  /** What differs in each step that fails. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
}

/** Scenarios of what is not built yet, rules in CEL and admission policies. They wait long for it to appear. */
const NOT_BUILT = /^(crd-cel|vap)/;

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
      test(name, async () => {
        const { failed, passed, problems } = await replay(server, name);
        totals.passed += passed;
        totals.failed += failed;
        const allowed = allowedFailures(name);
        const wrong = [...problems].filter(([step]) => !allowed.has(step));
        const told = wrong.map(([step, text]) => `${step}: ${text.join('\n  ')}`).join('\n');
        assert.equal(wrong.length, 0, `steps that have to pass fail:\n${told}`);
        // A table that allows more than fails hides the next thing that breaks.
        const mended = [...allowed.keys()].filter((step) => !problems.has(step));
        assert.deepEqual(mended, [], 'these steps pass: take them out of golden/allowed-failures.ts');
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
  return { passed, failed, problems: new Map(steps.map((step) => [step.name, step.problems.slice(0, 8)])) };
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

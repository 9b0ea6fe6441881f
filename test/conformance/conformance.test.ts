import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, test } from 'node:test';
import { ENDS_WITH_US } from '../../packaging/dev/lib/private-host/private-host.ts';
import { BUILD_DIR } from '../../packaging/dev/lib/project.ts';
import { UPSTREAM_TESTS } from '../../packaging/dev/lib/upstream-tests.ts';
import type { Kedge } from '../e2e/lib/kedge.ts';
import { useKedge } from '../e2e/lib/use-kedge.ts';

const LOG = join(BUILD_DIR, 'conformance.log');

/**
 * Names of upstream's tests, which are conformance tests all. Those that start containers are left out, and those
 * that look for what has changed since: an Event's note that can be patched, words of an older kubectl.
 */
const NAMES = readFileSync(join(import.meta.dirname, 'tests.txt'), 'utf8')
  .trim()
  .split('\n');

const OUTCOME = /^[^{]*\{"msg":"(PASSED|FAILED) ([^"]*)"/;

interface Outcome {
  readonly passed: boolean;
  /** What the test said. */
  readonly text: string;
}

/** Runs upstream's tests one after another; resolves to how each of them came out. */
async function runTests({ kubeconfig, kubectlProgram }: Kedge): Promise<ReadonlyMap<string, Outcome>> {
  const focus = NAMES.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').trim()).join('|');
  const flags = ['-kubeconfig', kubeconfig, '-provider', 'skeleton', '-disable-log-dump', '-ginkgo.noColor'];
  const argv = [...ENDS_WITH_US, UPSTREAM_TESTS, ...flags, '-dump-logs-on-failure=false', '-ginkgo.focus', focus];
  const [program = '', ...args] = argv;
  const env = { ...process.env, PATH: `${dirname(kubectlProgram)}:${process.env['PATH']}`, KUBECONFIG: kubeconfig };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const log = createWriteStream(LOG);
  const outcomes = new Map<string, Outcome>();
  let lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    log.write(`${line}\n`);
    lines.push(line);
    const [, word, name = ''] = OUTCOME.exec(line) ?? [];
    if (word === undefined) continue;
    outcomes.set(name.trim(), { passed: word === 'PASSED', text: lines.slice(-60).join('\n') });
    lines = [];
  }
  if (child.exitCode === null) await once(child, 'close');
  log.end();
  return outcomes;
}

describe("upstream's conformance tests", () => {
  const kedge = useKedge();
  let outcomes: ReadonlyMap<string, Outcome>;

  before(async () => {
    outcomes = await runTests(kedge());
  });

  for (const name of NAMES) {
    test(name, () => {
      const outcome = outcomes.get(name.trim());
      assert.ok(outcome !== undefined, `it was not run: see ${LOG}`);
      assert.ok(outcome.passed, outcome.text);
    });
  }
});
